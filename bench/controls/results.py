"""Where a copy of placement `new` writes: memory that is there already, so that it never pays for allocating."""

from __future__ import annotations

import weakref
from typing import Any

import numpy as np

from bench.arrays.call_ring import moves
from bench.arrays.relocation import Places
from kernels.api import Case
from kernels.numbers.host_arrays import aligned_empty

__all__ = ["Results"]

Array = np.ndarray[Any, Any]


class Results:
    """Arrays for the results of one case after another.

    They move among the same places as the case's inputs.  Where those stay, so does the result: all calls of the case
    write the same one, as they do where an allocator gives back what was just freed.
    """

    def __init__(self) -> None:
        self._case: Case | None = None
        self._places = Places()
        self._lone: weakref.ref[Array] | None = None  # it lives as long as a call that writes it

    def like(self, x: Array, case: Case) -> Array:
        """An array of the shape, dtype and memory order that a result of `x` has; its contents are any."""
        if case != self._case:
            self._case, self._places, self._lone = case, Places(), None
        if moves(case):
            (moved,) = self._places.elsewhere([x])
            assert moved is not None, "it is like x"
            return moved
        lone = None if self._lone is None else self._lone()
        if lone is None:
            lone = _aligned_like(x)
            self._lone = weakref.ref(lone)
        return lone


def _aligned_like(x: Array) -> Array:
    if x.flags.f_contiguous and not x.flags.c_contiguous:
        return aligned_empty(x.shape[::-1], x.dtype).T
    return aligned_empty(x.shape, x.dtype)
