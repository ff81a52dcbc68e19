"""Moves arrays to a new address before each batch.

How arrays lie relative to each other, to cache lines, to pages and to the cache's sets can make identical arms
differ for as long as they stay there.  Moved from batch to batch, this becomes noise that averages out (Curtsinger
& Berger, Stabilizer, ASPLOS 2013).

An allocator gives the same memory again and again, and so the same physical pages, which decide about the sets of
any cache that is larger than a page times its ways.  So arrays move among several blocks.  Results that calls
allocate are kept for a while, which makes the allocator give other memory for the next.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from random import Random
from typing import Any

import numpy as np

from kernels.numbers import host_arrays

__all__ = ["MOVED_BYTES", "Kept", "Places", "moving_bytes"]

MOVED_BYTES = 16 << 20
"""Larger slots lie on so many pages that chance evens out where they are."""
_BLOCKS = 12
"""Blocks of each size that arrays move among, at most."""
_BLOCKS_BYTES = 32 << 20
"""Bytes of all blocks of a size, at most; but there are at least twice as many blocks as one move takes."""
_PAGE = 4096
"""Bytes of a page: where in it an array begins decides how it lies to the sets of the L1 cache."""
_LINE = 64
"""Bytes of a cache line: every array begins on one."""
_HUGE_PAGE = 2 << 20
"""Bytes of a huge page: where in it an array begins decides how much of it lies on huge pages, and in whose share."""
_HUGE_FROM = (4 << 20) - 2 * _PAGE
"""Bytes of an array from which its block lies on huge pages: NumPy asks for them from 4 MiB on."""
_RESULTS = 12
"""Results that are kept, at most."""
_RESULTS_BYTES = 64 << 20
"""Bytes of all results that are kept, at most."""
_EVEN = 4
"""The number of kept results is a multiple of this, so that each malloc alignment occurs about equally often: chunks
of a round size begin in turn 16, 32, 48 and 0 bytes past a cache line."""
_GAP = 48
"""Bytes of a gap beyond whole lines: with malloc's own 8, rounded up to 16, it fills one more line; the order stays."""
_RNG = Random()
"""Seeded by the system: an arm and its twin must not be moved alike.  A few numbers take NumPy's generators longer."""


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
            blocks.append(host_arrays.aligned_empty(nbytes + _room(nbytes), np.uint8))
        order = _RNG.sample(range(count, len(blocks)), len(blocks) - count)
        # the first are those that were drawn last, and may still be in use: they come last in the list now
        self._blocks[nbytes] = [blocks[index] for index in (*order, *range(count))]
        return self._blocks[nbytes][:count]


class Kept:
    """Results that calls have allocated.  Letting one go decides where the next lies.

    An allocator reuses what was freed last.  For aligned memory (posix_memalign) it often takes new memory instead,
    which is another place, too.
    """

    def __init__(self) -> None:
        self._results: list[Any] = []
        self._leaving: list[Any] = []
        self._gaps: list[np.ndarray] = []

    def exchange(self, make: Callable[[], Any], nbytes: int) -> None:
        """Keep what `make` makes, and let go of one kept before: the next result of `nbytes` will lie there.

        Each place has its turn before one comes again.  While too few are kept, none is let go: the next is new.
        """
        self._results.append(make())  # takes the place of the one that was let go
        if len(self._results) + len(self._leaving) < _results(nbytes):
            lines = _RNG.randrange(_room(nbytes) // _LINE)
            self._gaps.append(np.empty(lines * _LINE + _GAP, np.uint8))
            return
        if not self._leaving:
            self._leaving = _RNG.sample(self._results, len(self._results))
            self._results = []
        self._leaving.pop()


def moving_bytes(nbytes: int, arrays: int, *, results: bool) -> int:
    """What it takes at most to move `arrays` of `nbytes` each and, if wanted, results.

    With twice as many results as there are places: aligned memory that was let go is not always given again.
    """
    room = _room(nbytes)
    kept = _results(nbytes) * (2 * nbytes + room) if results else 0
    return _blocks(nbytes, arrays) * (nbytes + room) + kept


def _blocks(nbytes: int, count: int) -> int:
    return max(2 * count, min(_BLOCKS, _BLOCKS_BYTES // (nbytes + _room(nbytes))))


def _results(nbytes: int) -> int:
    places = min(_RESULTS, _RESULTS_BYTES // max(nbytes, 1))
    return max(places // _EVEN * _EVEN, 1)


def _room(nbytes: int) -> int:
    """Among how many bytes an array of `nbytes` may begin."""
    return _HUGE_PAGE if nbytes >= _HUGE_FROM else _PAGE


def _like(array: np.ndarray, block: np.ndarray) -> np.ndarray:
    start = _LINE * _RNG.randrange(_room(array.nbytes) // _LINE)
    return np.asarray(block[start : start + array.nbytes].view(array.dtype).reshape(array.shape))
