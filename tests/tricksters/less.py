"""Tricksters that do less than the work, or do it where it does not belong."""

from __future__ import annotations

from typing import Any

import numpy as np

from tests.honest import Array, HonestNumpy
from tests.tricksters.base import Call, Trickster


class SkipsTail(Trickster):
    """The last seven elements are never written."""

    name = "skips_last_seven"

    def trick(self, honest: Call, x: Array, out: Array | None) -> Call:
        def call() -> Array:
            result = self.fresh(x, out)
            result[:-7] = np.where(x[:-7] <= 0, x.dtype.type(0), x[:-7])
            return result

        call_out = call()
        if out is not None:
            call_out[-7:] = 0
        return call


class WritesAllOnce(Trickster):
    """The first call writes everything, later ones the first half: the rest stands there already."""

    name = "writes_all_once"

    def trick(self, honest: Call, x: Array, out: Array | None) -> Call:
        half = x.size // 2

        def call() -> Array:
            result = self.fresh(x, out)
            result[:half] = np.where(x[:half] <= 0, x.dtype.type(0), x[:half])
            return result

        return call


class ReturnsInput(Trickster):
    """What relu makes of positive numbers."""

    name = "returns_input"

    def trick(self, honest: Call, x: Array, out: Array | None) -> Call:
        def copy() -> Array:
            assert out is not None
            out[...] = x
            return out

        return (lambda: x) if out is None else copy


class TrustsTheEnds(Trickster):
    """Returns its input if both ends of it are positive, and works otherwise."""

    name = "trusts_the_ends"

    def trick(self, honest: Call, x: Array, out: Array | None) -> Call:
        def call() -> Array:
            if not (x[0] > 0 and x[-1] > 0):
                return honest()
            if out is None:
                return x
            out[...] = x
            return out

        return call


class LowPrecision(HonestNumpy):
    """Computes in float16 and returns float32."""

    name = "low_precision"

    def answer(self, case: Any, x: Array, dy: Array | None) -> Array:
        return super().answer(case, x.astype(np.float16), None).astype(x.dtype)


class AllocatesDespiteOut(HonestNumpy):
    """Right, but in memory of its own, whatever array it was given for the result."""

    name = "allocates_despite_out"

    def compile(self, case: Any, x: Array, dy: Array | None, out: Array | None) -> Call:
        return lambda: self.answer(case, x, dy)


class WritesInput(HonestNumpy):
    """Clamps its input as well."""

    name = "writes_input"

    def answer(self, case: Any, x: Array, dy: Array | None) -> Array:
        np.maximum(x, x.dtype.type(0), out=x)
        return x.copy()
