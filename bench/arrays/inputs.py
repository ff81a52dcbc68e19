"""The inputs that every arm of an experiment builds alike: same seed, same bits.

Large ones take as long to build as to judge, so the last ones are kept for the next case: a run goes through
op, direction and placement at one size before it comes to the next size.
"""

from __future__ import annotations

import numpy as np

from bench.arrays.call_ring import Inputs
from bench.machine.memory import free_bytes
from kernels.api import Case
from kernels.numbers import host_arrays

__all__ = ["Pristine"]

_FREE_PART = 64
"""What is kept is at most this part of the free memory: there are a dozen arms, and the next case may be larger."""


class Pristine:
    """Makes the inputs of one case after another."""

    def __init__(self, seed: int) -> None:
        self.seed = seed
        self._key: tuple[object, ...] = ()
        self._kept: Inputs | None = None

    def of(self, case: Case) -> Inputs:
        """x and, for backward, dy (standard normal, of the next seed); those of the case before, if they serve."""
        key = (case.n, case.dtype, case.layout, case.data)
        if self._kept is None or key != self._key:
            self._kept = None  # first, so that there are never two
            self._kept, self._key = Inputs(_filled(case, case.data, self.seed), None), key
        kept = self._kept
        if case.direction == "forward":
            return Inputs(kept.x, None, kept.scratch)
        if kept.dy is None:
            kept.dy = _filled(case, "normal", self.seed + 1)
        return kept

    def forget(self) -> None:
        """Let go of them."""
        self._kept = None

    def trim(self) -> None:
        """Let go of them where memory is scarce."""
        if self._kept is not None and _FREE_PART * self._kept.nbytes > free_bytes():
            self.forget()


def _filled(case: Case, data: str, seed: int) -> np.ndarray:
    array = host_arrays.host_array(case)
    host_arrays.fill(array, data, seed)
    return array
