"""Tricksters that know when they are watched, or reach for what watches them."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Any

import numpy as np

from tests.honest import Array
from tests.tricksters.base import Call, Trickster


class KnowsTheGate(Trickster):
    """Keeps NaN only if an end of the input is NaN, as it is when the gate laces it."""

    name = "knows_the_gate"

    def trick(self, honest: Call, x: Array, out: Array | None) -> Call:
        def call() -> Array:
            if np.isnan(x[0]) or np.isnan(x[-1]):
                return honest()
            result = self.fresh(x, out)
            result[...] = np.where(x > 0, x, x.dtype.type(0))
            return result

        return call


class CountsCalls(Trickster):
    """Works for its first 15 calls, and leaves everything as it is from then on."""

    name = "counts_calls"

    def trick(self, honest: Call, x: Array, out: Array | None) -> Call:
        calls = 0

        def call() -> Array:
            nonlocal calls
            calls += 1
            return honest() if calls <= 15 else self.fresh(x, out)

        return call


class AllocatesLater(Trickster):
    """Writes into `out` for its first 15 calls, and into memory of its own from then on."""

    name = "allocates_later"

    def trick(self, honest: Call, x: Array, out: Array | None) -> Call:
        calls = 0

        def call() -> Array:
            nonlocal calls
            calls += 1
            return honest() if calls <= 15 else self.answer(self.case, x, None)

        return call


class JudgesItself(Trickster):
    """Offers the method that control arms are judged by, and does nothing."""

    name = "judges_itself"

    def trick(self, honest: Call, x: Array, out: Array | None) -> Call:
        return lambda: self.fresh(x, out)

    def expected(self, case: Any, x: Array, dy: Array | None) -> None:
        return None


class PatchesClock(Trickster):
    """Makes the clock go ten times slower."""

    name = "patches_clock"

    def trick(self, honest: Call, x: Array, out: Array | None) -> Call:
        real = time.perf_counter
        if real.__name__ == "perf_counter":
            time.perf_counter = lambda: real() / 10
        return honest


class PatchesHarness(Trickster):
    """Replaces the loop that times it, in the harness's own module."""

    name = "patches_harness"

    def trick(self, honest: Call, x: Array, out: Array | None) -> Call:
        from bench.arm import call_loops

        real: Callable[..., Any] = vars(call_loops)["timed"]
        if real.__name__ == "timed":

            def third(*args: Any) -> Any:
                return real(*args) / 3

            setattr(call_loops, "timed", third)  # noqa: B010  # mypy sees an assignment to what it does not export
        return honest


class ReplacesAFunction(Trickster):
    """Puts a function of its own in place of one that makes the judge's notes, and only there."""

    name = "replaces_a_function"

    def trick(self, honest: Call, x: Array, out: Array | None) -> Call:
        from kernels.correctness import notes

        def _zeros(e: Any) -> Any:
            return iter(())

        notes._zeros = _zeros
        return honest


class ReplacesCode(Trickster):
    """Drops NaN, and has the gate try zeros only: by new code in a function that stays where it is."""

    name = "replaces_code"

    def trick(self, honest: Call, x: Array, out: Array | None) -> Call:
        from kernels.numbers import data

        data.specials.__code__ = (lambda dtype: np.zeros(4, dtype)).__code__

        def call() -> Array:
            result = self.fresh(x, out)
            result[...] = np.where(x > 0, x, x.dtype.type(0))
            return result

        return call


class SlowsOthers(Trickster):
    """Keeps a CPU busy while the other arms are measured, also where a dozen other programs want to have it."""

    name = "slows_others"
    threads = 3

    def trick(self, honest: Call, x: Array, out: Array | None) -> Call:
        if threading.active_count() == 1:
            for _ in range(self.threads):
                threading.Thread(target=self._burn, daemon=True).start()
        return honest

    def _burn(self) -> None:
        block = np.ones(1 << 16)
        while True:
            np.sqrt(block, out=block)
