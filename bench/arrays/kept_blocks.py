"""Large arrays of the case before, kept for the next one.

Memory that a process gives back and has again is zeroed, page by page.  A virtual machine may have handed it to its
host meanwhile; then having it again takes many times as long.
"""

from __future__ import annotations

import math
from collections import defaultdict

import numpy as np
import numpy.typing as npt

from kernels.numbers.host_arrays import aligned_empty

__all__ = ["KeptBlocks"]

_KEPT_FROM = (32 << 20) + 1
"""Bytes of an array from which its memory is kept.  A smaller one may teach malloc, when it is let go, from which size
on to map memory anew (mallopt, M_MMAP_THRESHOLD), and so change what calls that allocate take."""


class KeptBlocks:
    """Arrays in memory that is kept when a case ends.

    Of one size alone: once another is asked for, the rest is let go.
    """

    def __init__(self) -> None:
        self._lent: dict[int, list[np.ndarray]] = defaultdict(list)
        self._free: dict[int, list[np.ndarray]] = defaultdict(list)

    @property
    def nbytes(self) -> int:
        """Bytes of all that is kept, in use or not."""
        return sum(size * len(blocks) for kept in (self._lent, self._free) for size, blocks in kept.items())

    def empty(self, shape: int | tuple[int, ...], dtype: npt.DTypeLike) -> np.ndarray:
        """As `aligned_empty`; what is in it may be left from the case before."""
        dtype = np.dtype(dtype)
        shape = (shape,) if isinstance(shape, int) else tuple(shape)
        size = math.prod(shape) * dtype.itemsize
        for other in [each for each in self._free if each != size]:
            del self._free[other]
        if size < _KEPT_FROM:
            return aligned_empty(shape, dtype)
        block = self._free[size].pop() if self._free[size] else aligned_empty(size, np.uint8)
        self._lent[size].append(block)
        return np.asarray(block.view(dtype).reshape(shape))

    def take_back(self) -> None:
        """The case has ended: nobody uses its arrays any more."""
        for size, blocks in self._lent.items():
            self._free[size] += blocks
        self._lent.clear()

    def forget(self) -> None:
        """Let go of all that is not in use."""
        self._free.clear()
