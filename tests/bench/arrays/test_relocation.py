"""Arrays move among several blocks of memory, and never onto those in use; results move, too."""

from __future__ import annotations

import json
import platform
import subprocess
import sys
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from bench.arm.server import ArmServer
from bench.arrays.call_ring import moves, slot_bytes
from bench.arrays.footprint import needed_bytes
from bench.arrays.relocation import MOVED_BYTES, Kept, Places, moving_bytes
from bench.judging.diagnosis import overlap
from bench.machine.environment import last_level_cache
from kernels.api import Case
from kernels.backends.numpy_ufunc import NumpyUfunc
from tests.running import ROOT

CACHE_BYTES = 1 << 20


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
        assert (x.shape, out.shape) == ((n,), (n, 1))
        assert x.dtype == out.dtype == np.float32
        assert not overlap([x, out, *before]), "what was moved last may still be in use"
        assert x.ctypes.data % 64 == out.ctypes.data % 64 == 0
        before = [x, out]
        seen |= _pages(x)
    assert len(seen) >= 6 * len(_pages(before[0]))


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


def test_arrays_on_huge_pages_begin_anywhere_between_two_of_them() -> None:
    """Within a page of 4 KiB the same part of each would lie on a huge page, in the same thread's share of the work."""
    places, huge_page = Places(), 2 << 20
    starts = []
    for _ in range(100):
        (moved,) = places.elsewhere((np.empty(4 << 20, np.uint8),))
        assert moved is not None
        assert moved.ctypes.data % 64 == 0
        starts.append(moved.ctypes.data % huge_page)
    assert len(np.unique(np.array(starts) // (huge_page // 4))) == 4


class Allocator:
    """Gives the place that was let go last, as malloc does, before a new one."""

    def __init__(self) -> None:
        self.free: list[int] = []
        self.places = 0

    def __call__(self) -> Result:
        if not self.free:
            self.free, self.places = [self.places], self.places + 1
        return Result(self, self.free.pop())


class Result:
    """Has a place of the allocator's until it is let go."""

    def __init__(self, allocator: Allocator, place: int) -> None:
        self.allocator, self.place = allocator, place

    def __del__(self) -> None:
        self.allocator.free.append(self.place)


def places_of_results(batches: int) -> list[int]:
    """Where the results of so many batches lie, with that allocator."""
    allocator, kept, seen = Allocator(), Kept(), []
    for _ in range(batches):
        kept.exchange(allocator, 4096)
        seen.append(allocator().place)
    assert allocator.places == 12
    return seen


def test_each_place_of_a_result_has_its_turn_before_one_comes_again() -> None:
    seen = places_of_results(11 + 2 * 12)
    assert len(set(seen[:11])) == 11
    assert sorted(seen[11:23]) == sorted(seen[23:]) == list(range(12))


def test_results_of_an_arm_and_of_its_twin_do_not_go_in_step() -> None:
    """Nor do those of two processes with the same past, which is what they are."""
    code = "from tests.bench.arrays.test_relocation import places_of_results; print(places_of_results(35))"
    orders = {
        subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, check=True).stdout
        for _ in range(2)
    }
    assert len(orders) == 2


@pytest.mark.parametrize(("nbytes", "places"), [(1, 12), (4 << 20, 12), (8 << 20, 8), (MOVED_BYTES, 4)])
def test_results_that_are_kept_take_what_is_planned_for(nbytes: int, places: int) -> None:
    allocator, kept = Allocator(), Kept()
    for _ in range(50):
        kept.exchange(allocator, nbytes)
    assert allocator.places == places
    planned = moving_bytes(nbytes, 1, results=True) - moving_bytes(nbytes, 1, results=False)
    assert places * nbytes <= planned <= places * (2 * nbytes + (2 << 20))
    allocator.free.clear()
    del kept
    assert len(allocator.free) == places - 1, "they are let go with the slots"


class Noting(NumpyUfunc):
    """Notes where its results lie: in memory of its own allocator, which is the same for every run.

    It gives them for writing, or for reading only, as JAX does.
    """

    def __init__(self, *, writable: bool) -> None:
        self.places: list[int] = []
        self._allocator, self._memory = Allocator(), dict[int, np.ndarray]()
        self._writable = writable

    def compile(
        self, case: Case, x: np.ndarray, dy: np.ndarray | None, out: np.ndarray | None
    ) -> Callable[[], Any]:
        """The call, and a note."""
        call = super().compile(case, x, dy, out)

        def noted() -> Any:
            result = self._allocator()
            self._memory.setdefault(result.place, np.empty_like(x))[...] = call()
            self.places.append(result.place)
            return result

        return noted

    def to_numpy(self, result: Any) -> np.ndarray:
        """A view."""
        view = (self._memory[result.place] if isinstance(result, Result) else result).view()
        view.flags.writeable = self._writable
        return view


@pytest.mark.parametrize("writable", [True, False])
@pytest.mark.parametrize("n", [1 << 10, pytest.param(1 << 15, marks=pytest.mark.daily), 1 << 20])
def test_results_of_timed_calls_lie_elsewhere_in_each_batch(n: int, writable: bool) -> None:
    backend = Noting(writable=writable)
    server = ArmServer(lambda: backend, 1, CACHE_BYTES)
    server.load()
    assert server.prepare(Case("relu", n=n)).skip is None
    timed = []
    for _ in range(35):
        assert server.batch(8, 0.0).problem is None
        timed.append(backend.places[-1])
    assert len(set(timed[11:])) >= 8, "when there are enough places, too"


def starts_of_results(n: int, batches: int) -> list[int]:
    """Where the results of so many batches begin, with this process's allocator."""
    starts: list[int] = []

    class Honest(NumpyUfunc):
        def to_numpy(self, result: np.ndarray) -> np.ndarray:
            starts.append(result.ctypes.data)
            return super().to_numpy(result)

    server = ArmServer(Honest, 1, CACHE_BYTES)
    server.load()
    server.prepare(Case("relu", n=n))
    ends = []
    for _ in range(batches):
        server.batch(8, 0.0)
        ends.append(starts[-1])
    return ends


@pytest.fixture(scope="module")
def starts() -> dict[str, list[int]]:
    """By the number of elements; in a process of its own, as every arm has one: no other test has used its memory."""
    code = (
        "import json; from tests.bench.arrays.test_relocation import starts_of_results\n"
        "print(json.dumps({n: starts_of_results(n, 35) for n in (1 << 10, 1 << 15, 1 << 20)}))"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, check=True)
    found: dict[str, list[int]] = json.loads(done.stdout)
    return found


glibc = pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="where results lie is glibc's way")


@glibc
@pytest.mark.parametrize("n", [1 << 10, 1 << 15, 1 << 20])
def test_malloc_gives_results_many_places_and_alignments(starts: dict[str, list[int]], n: int) -> None:
    late = starts[str(n)][11:]
    assert len(set(late)) >= 8, "when there are enough places, too"
    assert len({start % 64 for start in late}) >= 2, "how a result lies to cache lines costs"


@glibc
def test_results_on_huge_pages_begin_all_over_them(starts: dict[str, list[int]]) -> None:
    begin = np.array(starts[str(1 << 20)][:13]) % (2 << 20)
    assert len(np.unique(begin // (256 << 10))) >= 3


def test_no_call_is_made_ahead_of_its_batch(monkeypatch: pytest.MonkeyPatch) -> None:
    """An implementation that takes seconds for a call must not make a dozen before it is timed."""
    monkeypatch.setattr(
        "bench.arm.call_loops._drawn_audit", lambda _count, _parts: (None, 0)
    )  # in some batches
    backend = Noting(writable=True)
    server = ArmServer(lambda: backend, 1, CACHE_BYTES)
    server.load()
    server.prepare(Case("relu"))
    before = len(backend.places)
    server.batch(1, 0.0)
    assert len(backend.places) - before == 3, "the one kept, the one that warms, the one timed"


@pytest.mark.parametrize(
    ("case", "moving"),
    [
        (Case("relu"), True),
        (Case("relu", placement="out"), True),
        (Case("relu", n=4 << 20), True),
        (Case("relu", n=4 << 20, direction="backward"), False),
        (Case("relu", n=8 << 20), False),
        (Case("relu", n=0), False),
        (Case("relu", layout="strided"), False),
        (Case("relu", layout="transposed"), False),
        (Case("relu", cache="cold"), False),
        (Case("relu", device="cuda"), False),
    ],
)
def test_what_moves_and_that_memory_is_planned_for_it_alone(case: Case, moving: bool) -> None:
    assert moves(case) == moving
    ring = slot_bytes(case) + 2 * last_level_cache() if case.cache == "cold" else 0
    still = 2 * slot_bytes(case) + ring + 2 * case.n * case.itemsize
    assert (needed_bytes(case, 1) > still) == moving


def test_small_cases_fit_into_small_machines() -> None:
    assert needed_bytes(Case("relu"), 12) < 12 << 20


@pytest.mark.parametrize("nbytes", [4096, 1 << 20, 4 << 20, 8 << 20])
def test_blocks_take_what_is_planned_for(nbytes: int) -> None:
    places, like = Places(), [np.empty(nbytes, np.uint8), np.empty(nbytes, np.uint8)]
    lows, highs = [], []
    for _ in range(60):
        for moved in places.elsewhere(like):
            assert moved is not None
            lows.append(moved.ctypes.data)
            highs.append(moved.ctypes.data + nbytes)
    pages = {
        page for low, high in zip(lows, highs, strict=True) for page in range(low >> 12, (high - 1 >> 12) + 1)
    }
    assert len(pages) << 12 <= moving_bytes(nbytes, 2, results=False) + 12 * 4096
