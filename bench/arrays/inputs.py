"""The inputs of a case: every arm of an experiment has the same bits, its coordinator's or built from the same seed.

Large inputs take as long to build as to judge.  So they are shared (`bench.arrays.shared_inputs`), and the last ones
are kept for the next case: a run goes through op, direction and placement at one size before it comes to the next.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from bench.arrays.kept_blocks import KeptBlocks
from bench.arrays.shared_inputs import NOWHERE, Where, filled, inputs_key, mapped
from bench.machine.memory import free_bytes
from kernels.api import Case

__all__ = ["InputSource", "Inputs"]

_FREE_PART = 64
"""What is kept is at most this part of the free memory: there are a dozen arms, and the next case may be larger."""


@dataclass(slots=True)
class Inputs:
    """The pristine inputs of a case; every slot starts as a copy of them."""

    x: np.ndarray
    dy: np.ndarray | None

    @property
    def nbytes(self) -> int:
        """Bytes of all arrays, with the gaps of strided ones."""
        arrays = [array for array in (self.x, self.dy) if array is not None]
        return sum(end - start for start, end in map(np.lib.array_utils.byte_bounds, arrays))


class InputSource:
    """Builds the inputs of one case after another, and keeps the last ones, with the memory that calls worked on.

    `free` says how many bytes of memory can still be had.
    """

    def __init__(self, seed: int, *, free: Callable[[], int] = free_bytes) -> None:
        self.seed, self.blocks = seed, KeptBlocks()
        self._free = free
        self._key: tuple[object, ...] = ()
        self._kept: Inputs | None = None

    def of(self, case: Case, where: Where = NOWHERE) -> Inputs:
        """x and, where a call reads two arrays, dy; those of the case before, if they serve, or shared ones."""
        key = inputs_key(case)
        if self._kept is None or key != self._key:
            self._kept = None  # first, so that there are never two
            self._kept, self._key = Inputs(self._one(case, "x", where.x), None), key
        kept = self._kept
        if case.arrays == 1:
            return Inputs(kept.x, None)
        if kept.dy is None:
            kept.dy = self._one(case, "dy", where.dy)
        return kept

    def _one(self, case: Case, name: str, path: str) -> np.ndarray:
        if path:
            with contextlib.suppress(OSError):  # a sandbox between the processes: then by itself
                return mapped(case, path)
        return filled(case, name, self.seed)

    def forget(self) -> None:
        """Let go of them."""
        self._kept = None
        self.blocks.forget()

    def trim(self) -> None:
        """A case has ended: let go of all where memory is scarce."""
        self.blocks.take_back()
        kept = self.blocks.nbytes + (0 if self._kept is None else self._kept.nbytes)
        if kept and _FREE_PART * kept > self._free():
            self.forget()
