"""Where arrays lie: elsewhere for each batch.

How arrays lie to each other, to cache lines, to pages and to the cache's sets can cost identical arms some per cent for
as long as they stay there; moved from batch to batch, it is noise that averages out (Curtsinger & Berger, Stabilizer,
ASPLOS 2013).  An allocator gives the same memory again and again, and with it the same physical pages, which decide
about the sets of a cache that is larger than a page times its ways: so arrays move among several blocks, and results
that calls allocate are kept for a while, which makes the allocator give other memory for the next.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from kernels import buffers

__all__ = ["MOVED_BYTES", "Kept", "Places", "kept_bytes", "places_bytes"]

MOVED_BYTES = 16 << 20
"""Larger slots lie on so many pages that chance evens out where they are."""
_BLOCKS, _BLOCKS_BYTES = 12, 32 << 20
"""So many blocks of each size, or as many as make up these bytes, but at least twice what one move takes."""
_PAGE, _LINE = 4096, 64
_HUGE_PAGE, _HUGE_FROM = 2 << 20, 4 << 20
"""From so many bytes on NumPy asks for huge pages.  How much of an array lies on one, and in which thread's part of it,
depends on where it begins (of 4 MiB a half or all; backward of numba_parallel takes 76 to 83 us with it)."""
_GRAIN = 16
"""What malloc aligns to: leaky_relu of NumPy takes 184 us at 1Mi where its result begins on a multiple of 32 bytes,
207 where it begins 16 after one."""
_KEPT, _KEPT_BYTES = 12, 64 << 20
"""So many results are kept, or as many as make up these bytes."""
_RNG = np.random.default_rng()
"""Seeded by the system: an arm and its twin must not be moved alike."""


class Places:
    """Blocks of memory that contiguous arrays move among."""

    def __init__(self) -> None:
        self._blocks: dict[int, list[np.ndarray]] = {}

    def elsewhere(self, arrays: Sequence[np.ndarray | None]) -> list[np.ndarray | None]:
        """Uninitialised arrays like those, apart from each other, each begun at a random cache line.

        What was moved last stays as it is; what was moved before that may be overwritten.
        """
        sizes = [array.nbytes for array in arrays if array is not None]
        drawn = {size: self._draw(size, sizes.count(size)) for size in set(sizes)}
        return [None if array is None else _like(array, drawn[array.nbytes].pop()) for array in arrays]

    def _draw(self, nbytes: int, count: int) -> list[np.ndarray]:
        blocks = self._blocks.setdefault(nbytes, [])
        while len(blocks) < _blocks(nbytes, count):
            blocks.append(buffers.aligned_empty(nbytes + _room(nbytes), np.uint8))
        order = [int(index) for index in _RNG.permutation(np.arange(count, len(blocks)))]
        # the first are those that were drawn last, and may still be in use: they come last in the list now
        self._blocks[nbytes] = [blocks[index] for index in (*order, *range(count))]
        return self._blocks[nbytes][:count]


class Kept:
    """Results that calls have allocated, kept for their memory's sake."""

    def __init__(self) -> None:
        self._results: list[Any] = []
        self._next: list[Any] = []
        self._gaps: list[np.ndarray] = []

    def exchange(self, make: Callable[[], Any], nbytes: int) -> None:
        """Keep what `make` makes, and let go of one kept before: the next result of `nbytes` will lie there.

        Each place has its turn before one comes again.
        """
        while len(self._gaps) < _kept(nbytes):
            self._results.append(make())
            self._gaps.append(np.empty(_GRAIN * int(_RNG.integers(_room(nbytes) // _GRAIN)), np.uint8))
        self._results.append(make())  # takes the place of the one that was let go
        if not self._next:
            self._next = [self._results[index] for index in _RNG.permutation(len(self._results))]
            self._results = []
        self._next.pop()


def places_bytes(nbytes: int, count: int) -> int:
    """What the blocks take that `count` arrays of `nbytes` move among."""
    return _blocks(nbytes, count) * (nbytes + _room(nbytes))


def kept_bytes(nbytes: int) -> int:
    """What the results take that are kept, of `nbytes` each."""
    return _kept(nbytes) * nbytes


def _blocks(nbytes: int, count: int) -> int:
    return max(2 * count, min(_BLOCKS, _BLOCKS_BYTES // (nbytes + _room(nbytes))))


def _kept(nbytes: int) -> int:
    return min(_KEPT, _KEPT_BYTES // max(nbytes, 1))


def _room(nbytes: int) -> int:
    """Among how many bytes an array of `nbytes` may begin."""
    return _HUGE_PAGE if nbytes >= _HUGE_FROM else _PAGE


def _like(array: np.ndarray, block: np.ndarray) -> np.ndarray:
    start = _LINE * int(_RNG.integers(_room(array.nbytes) // _LINE))
    return np.asarray(block[start : start + array.nbytes].view(array.dtype).reshape(array.shape))
