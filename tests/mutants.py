"""Backends that are wrong, each in one way, derived from an honest one.

They are plugins like any other (``--plugin tests.mutants:DropsNan``); a tester that lets one of
them pass is broken.  Each says in its docstring what it gets wrong.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from typing import Any

import ml_dtypes
import numpy as np

from tests.honest import Array, HonestNumpy


class DropsNan(HonestNumpy):
    """``where(x > 0, x, 0)``: NaN is not > 0."""

    name = "drops_nan"

    def forward(self, op: str, x: Array, slope: Any) -> Array:
        below = x.dtype.type(0) if op == "relu" else np.where(x < 0, x * slope, x.dtype.type(0))
        return np.where(x > 0, x, below)


class DropsNanInTail(HonestNumpy):
    """A vector body that is right and a scalar tail that is not: the last n % 8 elements lose NaN."""

    name = "drops_nan_in_tail"

    def forward(self, op: str, x: Array, slope: Any) -> Array:
        result = super().forward(op, x, slope)
        tail = result.reshape(-1)[x.size - x.size % 8 :]
        tail[np.isnan(tail)] = 0
        return result


class WrongSlopeSign(HonestNumpy):
    """Negative numbers come out positive."""

    name = "wrong_slope_sign"

    def answer(self, case: Any, x: Array, dy: Array | None) -> Array:
        slope = x.dtype.type(-case.negative_slope)
        return self.forward(case.op, x, slope) if dy is None else self.backward(case.op, dy, x, slope)


class IgnoresSlope(HonestNumpy):
    """Always 0.01, the default, whatever was asked for."""

    name = "ignores_slope"

    def answer(self, case: Any, x: Array, dy: Array | None) -> Array:
        slope = x.dtype.type(0.01)
        return self.forward(case.op, x, slope) if dy is None else self.backward(case.op, dy, x, slope)


class SkipsTail(HonestNumpy):
    """A vector loop without its scalar rest: the last n % 8 elements are never written."""

    name = "skips_tail"

    def compile(self, case: Any, x: Array, dy: Array | None, out: Array | None) -> Callable[[], Array]:
        def run() -> Array:
            target = self.target(case, x, dy, out)
            with np.errstate(all="ignore"):
                result = self.answer(case, x, dy)
            flat = result.reshape(-1)[: self.written(x.size)]
            where = np.unravel_index(np.arange(flat.size), x.shape)
            target[where] = flat
            return target

        run()
        return run

    def target(self, case: Any, x: Array, dy: Array | None, out: Array | None) -> Array:
        if case.placement == "inplace":
            return x if dy is None else dy
        return out if out is not None else np.zeros(x.shape, x.dtype)

    def written(self, n: int) -> int:
        return n - n % 8


class SkipsLast(SkipsTail):
    """An off-by-one in the length: the last element is never written."""

    name = "skips_last"

    def written(self, n: int) -> int:
        return max(n - 1, 0)


class MutatesInput(HonestNumpy):
    """Clamps its input as well as its output."""

    name = "mutates_input"

    def answer(self, case: Any, x: Array, dy: Array | None) -> Array:
        result = super().answer(case, x, dy)
        x[x < 0] = 0
        return result


class PromotesDtype(HonestNumpy):
    """Returns the next wider dtype, as a Python-float slope does in careless code."""

    name = "promotes_dtype"

    def answer(self, case: Any, x: Array, dy: Array | None) -> Array:
        wider = {2: np.float32, 4: np.float64, 8: np.longdouble}[x.dtype.itemsize]
        return super().answer(case, x, dy).astype(wider)


class MaxOfBoth(HonestNumpy):
    """``max(x, slope * x)``: wrong for slopes above 1."""

    name = "max_of_both"

    def forward(self, op: str, x: Array, slope: Any) -> Array:
        return np.maximum(x, x * slope)


class MultipliesByMask(HonestNumpy):
    """``x * (x > 0)``: -inf * 0 is NaN."""

    name = "multiplies_by_mask"

    def forward(self, op: str, x: Array, slope: Any) -> Array:
        if op == "leaky_relu":
            return super().forward(op, x, slope)
        return x * (x > 0).astype(x.dtype)


class NarrowSlope(HonestNumpy):
    """A float32 slope on float64 data."""

    name = "narrow_slope"

    def answer(self, case: Any, x: Array, dy: Array | None) -> Array:
        slope = x.dtype.type(np.float32(case.negative_slope))
        return self.forward(case.op, x, slope) if dy is None else self.backward(case.op, dy, x, slope)


class OffByOneUlp(HonestNumpy):
    """The neighbour of the right value, for one negative number in eleven."""

    name = "off_by_one_ulp"

    def forward(self, op: str, x: Array, slope: Any) -> Array:
        result = super().forward(op, x, slope)
        if op == "leaky_relu":
            word = result.view(f"u{x.dtype.itemsize}").reshape(-1)
            finite = (np.isfinite(result) & (x < 0)).reshape(-1)
            word[::11] += finite[::11].astype(word.dtype)
        return result


class MixesModels(HonestNumpy):
    """Rounds the slope to the dtype in one half of the array and not in the other."""

    name = "mixes_models"

    def forward(self, op: str, x: Array, slope: Any) -> Array:
        result = super().forward(op, x, slope)
        if op == "leaky_relu":
            half = x.size // 2
            exact = (x.astype(np.float64) * 0.01).astype(x.dtype)
            where = np.unravel_index(np.arange(half), x.shape)
            result[where] = np.where(x[where] <= 0, exact[where], x[where])
        return result


class IgnoresStrides(HonestNumpy):
    """Reads a strided array as if it were contiguous."""

    name = "ignores_strides"

    def answer(self, case: Any, x: Array, dy: Array | None) -> Array:
        straight = np.lib.stride_tricks.as_strided(x, x.shape, np.empty(x.shape, x.dtype).strides)
        return super().answer(case, straight.copy(), dy)


class LosesInfinity(HonestNumpy):
    """Clamps to the largest finite value."""

    name = "loses_infinity"

    def forward(self, op: str, x: Array, slope: Any) -> Array:
        result = super().forward(op, x, slope)
        result[result == np.inf] = ml_dtypes.finfo(x.dtype).max
        return result


class GradientIgnoresDy(HonestNumpy):
    """Returns the derivative instead of the product with dy."""

    name = "gradient_ignores_dy"

    def backward(self, op: str, dy: Array, x: Array, slope: Any) -> Array:
        return super().backward(op, np.ones_like(dy), x, slope)


class GradientFromOutput(HonestNumpy):
    """Takes the mask from the output, which a negative slope turns round."""

    name = "gradient_from_output"

    def backward(self, op: str, dy: Array, x: Array, slope: Any) -> Array:
        return super().backward(op, dy, self.forward(op, x, slope), slope)


class SharesResult(HonestNumpy):
    """Returns the same array from every call, so that an earlier result changes under its owner."""

    name = "shares_result"

    def compile(self, case: Any, x: Array, dy: Array | None, out: Array | None) -> Callable[[], Array]:
        shared = np.empty(x.shape, x.dtype)

        def run() -> Array:
            with np.errstate(all="ignore"):
                shared[...] = self.answer(case, x, dy)
            return shared

        run()
        return run


class Raises(HonestNumpy):
    """Raises instead of refusing."""

    name = "raises"

    def answer(self, case: Any, x: Array, dy: Array | None) -> Array:
        raise ArithmeticError("no answer\nwas found")


class Crashes(HonestNumpy):
    """Ends the process in backward, as an illegal instruction does."""

    name = "crashes"

    def backward(self, op: str, dy: Array, x: Array, slope: Any) -> Array:
        os.abort()


class Hangs(HonestNumpy):
    """Never returns from forward."""

    name = "hangs"

    def forward(self, op: str, x: Array, slope: Any) -> Array:
        threading.Event().wait()
        return x
