"""Arrays move among several blocks of memory, and never onto those in use."""

from __future__ import annotations

import numpy as np
import pytest

from bench.places import MOVED_BYTES, Places
from bench.tricks import overlap


def _pages(array: np.ndarray) -> set[int]:
    low, high = np.lib.array_utils.byte_bounds(array)
    return set(range(low >> 12, (high - 1 >> 12) + 1))


@pytest.mark.parametrize("n", [1, 1000, 33_000])
def test_moved_arrays_lie_on_other_pages_and_apart(n: int) -> None:
    places, before = Places(), list[np.ndarray]()
    seen: set[int] = set()
    like = [np.empty(n, np.float32), None, np.empty((n, 1), np.float32)]
    for _ in range(40):
        x, none, out = places.elsewhere(like)
        assert x is not None
        assert out is not None
        assert none is None
        assert (x.shape, out.shape, x.dtype, out.dtype) == ((n,), (n, 1), np.float32, np.float32)
        assert not overlap([x, out, *before]), "what was moved last may still be in use"
        assert x.ctypes.data % 64 == out.ctypes.data % 64 == 0
        before = [x, out]
        seen |= _pages(x)
    assert len(seen) >= 6 * len(_pages(x))


def test_arrays_of_other_sizes_have_blocks_of_their_own() -> None:
    places = Places()
    x, dy = places.elsewhere((np.empty(10), np.empty(1000)))
    assert x is not None
    assert dy is not None
    x[...], dy[...] = 1.0, 2.0
    assert set(x) == {1.0}
    assert set(dy) == {2.0}


def test_large_arrays_have_two_blocks_each() -> None:
    places = Places()
    like = np.empty(MOVED_BYTES, np.uint8)
    starts = []
    for _ in range(6):
        (moved,) = places.elsewhere((like,))
        assert moved is not None
        starts.append(moved.ctypes.data)
    assert np.count_nonzero(np.diff(sorted(starts)) > MOVED_BYTES // 2) == 1
