"""Where arrays lie: elsewhere for each batch.

How arrays lie to each other and to the cache's sets can cost identical arms some per cent for as long as they stay
there; moved from batch to batch, it is noise that averages out (Curtsinger & Berger, Stabilizer, ASPLOS 2013).
An allocator gives the same memory again and again, and with it the same physical pages, which decide about the sets of
a cache that is larger than a page times its ways: so arrays move among several blocks.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from kernels import buffers

__all__ = ["MOVED_BYTES", "PLACES_BYTES", "Places"]

MOVED_BYTES = 16 << 20
"""Larger slots lie on so many pages that chance evens out where they are."""
PLACES_BYTES = 32 << 20
_BLOCKS = 12
"""So many blocks of each size, or as many as make up `PLACES_BYTES`, but at least twice what one move takes."""
_PAGE, _LINE = 4096, 64
_RNG = np.random.default_rng()
"""Seeded by the system: an arm and its twin must not be moved alike."""


class Places:
    """Blocks of memory that contiguous arrays move among."""

    def __init__(self) -> None:
        self._blocks: dict[int, list[np.ndarray]] = {}

    def elsewhere(self, arrays: Sequence[np.ndarray | None]) -> list[np.ndarray | None]:
        """Uninitialised arrays like those, apart from each other, each begun at a random cache line of a page.

        What was moved last stays as it is; what was moved before that may be overwritten.
        """
        sizes = [array.nbytes for array in arrays if array is not None]
        drawn = {size: self._draw(size, sizes.count(size)) for size in set(sizes)}
        return [None if array is None else _like(array, drawn[array.nbytes].pop()) for array in arrays]

    def _draw(self, nbytes: int, count: int) -> list[np.ndarray]:
        blocks = self._blocks.setdefault(nbytes, [])
        while len(blocks) < max(2 * count, min(_BLOCKS, PLACES_BYTES // max(nbytes, 1))):
            blocks.append(buffers.aligned_empty(nbytes + _PAGE, np.uint8))
        order = [int(index) for index in _RNG.permutation(np.arange(count, len(blocks)))]
        # the first are those that were drawn last, and may still be in use: they come last in the list now
        self._blocks[nbytes] = [blocks[index] for index in (*order, *range(count))]
        return self._blocks[nbytes][:count]


def _like(array: np.ndarray, block: np.ndarray) -> np.ndarray:
    start = _LINE * int(_RNG.integers(_PAGE // _LINE))
    return np.asarray(block[start : start + array.nbytes].view(array.dtype).reshape(array.shape))
