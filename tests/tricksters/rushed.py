"""Tricksters that work only where somebody may look: by how soon a call comes, by who calls, by what is timed."""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Callable
from typing import Any, ClassVar

import numpy as np

from tests.honest import Array, HonestNumpy
from tests.tricksters.base import Call, Trickster


class Rushed(Trickster):
    """Right where a call comes alone; `shortcut` says what it does where calls come one right after the other."""

    gap_s: ClassVar[float] = 20e-6

    def trick(self, honest: Call, x: Array, out: Array | None) -> Call:
        clock, last = time.perf_counter, 0.0
        shortcut = self.shortcut(honest)

        def call() -> Any:
            nonlocal last
            rushed = clock() - last < self.gap_s
            result = shortcut(rushed)
            last = clock()
            return result

        return call

    def shortcut(self, honest: Call) -> Callable[[bool], Any]:
        raise NotImplementedError


class BackToBack(Rushed):
    """Gives the last result again, unless somebody still has it: inputs do not change within a batch."""

    name = "back_to_back"

    def shortcut(self, honest: Call) -> Callable[[bool], Any]:
        result: Any = None

        def call(rushed: bool) -> Any:
            nonlocal result
            kept = self.out is None and sys.getrefcount(result) > 2
            if result is None or kept or not rushed:
                result = honest()
            return result

        return call


class SoonAgain(BackToBack):
    """The same within two microseconds: for who takes longer to change an input."""

    name = "soon_again"
    gap_s = 2e-6


class KeepsTheMask(Rushed):
    """Backward, without x: which of its elements are positive is known from the last call that was alone."""

    name = "keeps_the_mask"

    def shortcut(self, honest: Call) -> Callable[[bool], Any]:
        mask: Any = None

        def call(rushed: bool) -> Any:
            nonlocal mask
            if mask is None or not rushed:
                mask = self.x > 0
                return honest()
            assert self.dy is not None, "for backward"
            return np.multiply(self.dy, mask, out=self.out)

        return call


class MaskOfCompile(Trickster):
    """Backward, without x: which of its elements are positive was seen when it was compiled."""

    name = "mask_of_compile"

    def trick(self, honest: Call, x: Array, out: Array | None) -> Call:
        assert self.dy is not None, "for backward"
        self.compiled = getattr(self, "compiled", 0) + 1
        if self.compiled == 1:
            return honest
        dy, mask = self.dy, x > 0
        return lambda: np.multiply(dy, mask, out=out)


class Promise:
    """A result that is computed when somebody asks for it."""

    def __init__(self, honest: Call) -> None:
        self.redeem = honest


class LazyWhenRushed(Rushed):
    """Returns a promise where calls come one after the other; `to_numpy`, which is not timed, redeems it."""

    name = "lazy_when_rushed"

    def shortcut(self, honest: Call) -> Callable[[bool], Any]:
        promise = Promise(honest)
        return lambda rushed: promise if rushed and self.out is None else honest()

    def to_numpy(self, result: Any) -> Array:
        return np.asarray(result.redeem()) if isinstance(result, Promise) else result


class ComputesInAdopt(HonestNumpy):
    """Computes while the inputs are handed over, which is not timed; a call returns what is there."""

    name = "computes_in_adopt"

    def adopt(self, host: Array, case: Any) -> Array:
        return host.copy()

    def compile(self, case: Any, x: Array, dy: Array | None, out: Array | None) -> Call:
        result = Promise(super().compile(case, x, dy, out)().copy)
        return lambda: result

    def to_numpy(self, result: Any) -> Array:
        return np.asarray(result.redeem()) if isinstance(result, Promise) else result


class ClaimsSixtyFour(Trickster):
    """Says of one call that it is sixty-four."""

    name = "claims_sixty_four"

    def trick(self, honest: Call, x: Array, out: Array | None) -> Call:
        class Claiming:
            calls = 64

            def __call__(self) -> Any:
                return honest()

        return Claiming()


class RestoresTheClock(Trickster):
    """Has the loop that times it read a slow clock once, which puts the right one back."""

    name = "restores_the_clock"

    def trick(self, honest: Call, x: Array, out: Array | None) -> Call:
        from bench.arm import timed_loop

        module: dict[str, Any] = vars(timed_loop)
        real, began = time.perf_counter, 0.0

        def slow() -> float:
            module["clock"] = real
            return began + (real() - began) / 10

        def call() -> Any:
            nonlocal began
            if sys._getframe(1).f_code.co_filename == timed_loop.__file__ and module["clock"] is real:
                began, module["clock"] = real(), slow
            return honest()

        return call


class DropsNanInTheLoop(Trickster):
    """Drops NaN, which no batch has, where the caller is the timed loop."""

    name = "drops_nan_in_the_loop"

    def trick(self, honest: Call, x: Array, out: Array | None) -> Call:
        from bench.arm import timed_loop

        file, zero = timed_loop.__file__, x.dtype.type(0)

        def call() -> Any:
            if sys._getframe(1).f_code.co_filename != file:
                return honest()
            return np.fmax(x, zero, out=out)

        return call


class LeavesOutWhatIsDropped(Trickster):
    """A thread does the newest of its jobs only: of the others nobody has the result any more; `sync` does not wait."""

    name = "leaves_out_what_is_dropped"

    def __init__(self) -> None:
        self.job: tuple[Array, Array] | None = None
        self.told = threading.Event()
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self) -> None:
        while True:
            self.told.wait()
            self.told.clear()
            job = self.job
            if job is not None:
                np.maximum(job[0], 0, out=job[1])

    def trick(self, honest: Call, x: Array, out: Array | None) -> Call:
        from bench.arm import timed_loop

        file = timed_loop.__file__

        def call() -> Any:
            if sys._getframe(1).f_code.co_filename != file:
                return honest()
            target = self.fresh(x, out)
            self.job = (x, target)
            self.told.set()
            return target

        return call
