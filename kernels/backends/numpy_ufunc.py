"""NumPy ufuncs: the baseline, written as someone who knows NumPy well would write it.

Gradients select by integer arithmetic on the bits of the floats: with random signs, ``np.where`` and
``np.copyto(..., where=)`` mispredict a branch at every second element and are 4 to 15 times slower, and
``dy * (x > 0)`` turns an infinite dy into NaN.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np

from kernels.api import Case

__all__ = ["NumpyUfunc"]

Array = np.ndarray[Any, Any]
Call = Callable[[], Array]


class NumpyUfunc:
    """A few ufunc calls; serial; every dtype, placement and layout."""

    name = "numpy_ufunc"
    distribution = "numpy"
    alignment = 1

    def why_not(self, case: Case) -> str | None:
        """None on the CPU."""
        return None if case.device == "cpu" else f"NumPy runs on the CPU only; device is {case.device!r}"

    def set_threads(self, count: int) -> int:
        """1, always: NumPy's ufuncs are serial."""
        return 1

    def adopt(self, host: Array, case: Case) -> Array:
        """`host` itself."""
        return host

    def bind(self, case: Case, x: Array, dy: Array | None, out: Array | None) -> Call:
        """As `compile`, without the first execution."""
        if dy is None:
            target = {"new": None, "out": out, "inplace": x}[case.placement]
            call = _relu(x, target) if case.op == "relu" else _leaky_relu(x, target, case.negative_slope)
        else:
            target = {"new": None, "out": out, "inplace": dy}[case.placement]
            slope = x.dtype.type(case.negative_slope)
            call = (
                _relu_backward(x, dy, target) if case.op == "relu" else _leaky_backward(x, dy, target, slope)
            )
        return _quiet(call) if _may_warn(case) else call

    def compile(self, case: Case, x: Array, dy: Array | None, out: Array | None) -> Call:
        """Allocate scratch (placements out and inplace) and run once, on the arrays themselves."""
        call = self.bind(case, x, dy, out)
        with np.errstate(all="ignore"):
            call()
        return call

    def sync(self, result: Array) -> None:
        """Nothing to wait for."""

    def to_numpy(self, result: Array) -> Array:
        """`result` itself."""
        return result

    def versions(self) -> dict[str, str]:
        """NumPy's version."""
        return {"numpy": np.__version__}


def _relu(x: Array, target: Array | None) -> Call:
    return partial(np.maximum, x, x.dtype.type(0), out=target)


def _leaky_relu(x: Array, target: Array | None, negative_slope: float) -> Call:
    slope = x.dtype.type(negative_slope)
    if 0 < slope <= 1:
        return _leaky_by(np.maximum, x, target, slope)
    if 1 < slope < np.inf:
        return _leaky_by(np.minimum, x, target, slope)
    return _leaky_by_mask(x, target, slope)  # max(inf, 0 * inf) would be NaN


def _leaky_by(pick: np.ufunc, x: Array, target: Array | None, slope: Any) -> Call:
    multiply = np.multiply
    scratch = np.empty_like(x) if target is x else target

    def new() -> Array:
        scaled = multiply(x, slope)
        return pick(x, scaled, out=scaled)  # type: ignore[no-any-return]  # a ufunc's result is Any

    def into() -> Array:
        return pick(x, multiply(x, slope, scratch), out=target)  # type: ignore[no-any-return]  # as above

    return new if target is None else into


def _leaky_by_mask(x: Array, target: Array | None, slope: Any) -> Call:
    multiply, less_equal, copyto, zero = np.multiply, np.less_equal, np.copyto, x.dtype.type(0)

    def new() -> Array:
        result = x.copy()
        copyto(result, multiply(x, slope), where=less_equal(x, zero))
        return result

    if target is None:
        return new
    result, mask, scaled = target, np.empty_like(x, np.bool), np.empty_like(x)

    def into() -> Array:
        if result is not x:
            copyto(result, x)
        copyto(result, multiply(x, slope, scaled), where=less_equal(x, zero, mask))
        return result

    return into


def _relu_backward(x: Array, dy: Array, target: Array | None) -> Call:
    multiply, greater, zero, dtype = np.multiply, np.greater, x.dtype.type(0), x.dtype
    dy_bits = dy.view(f"u{dtype.itemsize}")

    def new() -> Array:
        return multiply(dy_bits, greater(x, zero)).view(dtype)  # type: ignore[no-any-return]  # as above

    if target is None:
        return new
    result, mask, bits = target, np.empty_like(x, np.bool), target.view(dy_bits.dtype)

    def into() -> Array:
        multiply(dy_bits, greater(x, zero, mask), bits)
        return result

    return into


def _leaky_backward(x: Array, dy: Array, target: Array | None, slope: Any) -> Call:
    multiply, greater, add, zero, dtype = np.multiply, np.greater, np.add, x.dtype.type(0), x.dtype
    low, one = np.array([slope, 1], dtype).view(f"u{dtype.itemsize}")
    step = np.array([one], low.dtype) - low  # wraps round, and so does adding it to `low`

    def new() -> Array:
        factor = multiply(greater(x, zero), step)
        return multiply(dy, add(factor, low, factor).view(dtype))  # type: ignore[no-any-return]  # as above

    if target is None:
        return new
    mask, factor = np.empty_like(x, np.bool), np.empty_like(x)
    bits = factor.view(low.dtype)

    def into() -> Array:
        add(multiply(greater(x, zero, mask), step, bits), low, bits)
        return multiply(dy, factor, target)

    return into


def _may_warn(case: Case) -> bool:
    """Whether numbers, infinities or quiet NaNs could make NumPy warn.

    Only then is each call silenced, which costs it a microsecond; signalling NaNs are left to the caller.
    """
    return case.itemsize == 2 or not (case.op == "relu" or 0 < case.negative_slope <= 1)


def _quiet(call: Call) -> Call:
    errstate = np.errstate

    def quiet() -> Array:
        with errstate(all="ignore"):
            return call()

    return quiet
