"""The ways to copy a cold case are raced as its batches call them: over cold arrays, several calls in a row."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from bench.arm.call_loops import Calls
from bench.arrays.call_ring import Slots
from bench.arrays.inputs import InputSource
from bench.arrays.slot import Change, Slot
from bench.controls import cpu_copies
from bench.controls.arms import CopyPlain
from bench.controls.pick_fastest import Race
from kernels.api import Case

CACHE_BYTES = 1 << 20
COLD_S = {False: 3e-5, True: 2e-5}
HOT_S = {False: 1e-6, True: 2e-6}
WAKING_S = 1e-3
"""What threads take that have slept."""


class Memory:
    """A clock, and how fast caches make a call: `hot` has the arrays called since other memory was written."""

    def __init__(self) -> None:
        self.now = 0.0
        self.asleep = False
        self.hot: deque[int] = deque()
        self.found_hot = 0
        self.evictions = 0

    def evicted(self) -> None:
        self.now += 0.05
        self.evictions += 1
        self.hot.clear()

    def way(self, out: np.ndarray, *, threads: bool) -> Callable[[], np.ndarray]:
        def call() -> np.ndarray:
            hot = id(out) in self.hot
            self.found_hot += hot
            self.now += (HOT_S if hot else COLD_S)[threads] + (WAKING_S if threads and self.asleep else 0.0)
            self.asleep = self.asleep and not threads
            self.hot.append(id(out))
            return out

        return call


class RingOf(Slots):
    """A ring whose evictions that memory sees; threads sleep while its slots are made ready."""

    def __init__(self, memory: Memory, *args: Any) -> None:
        self.memory = memory
        super().__init__(*args)

    def establish(self, taken: list[Slot], plant: Change) -> None:
        super().establish(taken, plant)
        self.memory.asleep = True

    def evict(self) -> None:
        self.memory.evicted()


@pytest.fixture
def memory(monkeypatch: pytest.MonkeyPatch) -> Memory:
    """What stands for the machine's: threads are faster, but for the first call after a pause."""
    memory = Memory()

    def ways(case: Case, x: object, dy: object, out: np.ndarray, streaming: bool) -> dict[str, Any]:
        return {name: memory.way(out, threads=name != "serial") for name in ("serial", "parallel")}

    monkeypatch.setattr(cpu_copies, "candidates", ways)
    return memory


@pytest.mark.parametrize(("n", "evicts"), [(64, True), (8192, False)])
def test_threads_that_slept_before_a_bunch_win_it_as_they_would_a_batch(
    memory: Memory, n: int, evicts: bool
) -> None:
    case = Case("relu", placement="out", n=n, cache="cold")
    if not evicts:
        memory.hot = deque(maxlen=16)  # less than half of the ring comes before an array comes again
    control = CopyPlain()
    control._race = Race(lambda: memory.now, lambda: 0.0)
    slots = RingOf(memory, control, case, InputSource(1).of(case), CACHE_BYTES)
    slots.grow()
    assert not control.raced(case)
    memory.found_hot = 0
    control.choose(slots, Calls(slots, lambda _: None, lambda _: ()))
    assert control.raced(case)
    memory.asleep, before = False, memory.now
    for slot in slots.ring:
        memory.hot.clear()
        slot.call()
    assert (memory.now - before) / len(slots.ring) == pytest.approx(
        COLD_S[True]
    )  # all of them go the parallel way
    assert bool(memory.evictions) == evicts
    if evicts:
        assert memory.found_hot == 0
        assert memory.evictions < 10  # a probe for each would be as many as there are probes
    again = slots.bind(slots.ring[0].x, None, slots.ring[0].out)
    memory.hot.clear()
    before = memory.now
    again.call()
    assert memory.now - before == pytest.approx(COLD_S[True])


@pytest.mark.parametrize(
    ("n", "placement"),
    [
        *((64, placement) for placement in ("out", "new", "inplace")),
        (8192, "out"),
        *(pytest.param(8192, placement, marks=pytest.mark.daily) for placement in ("new", "inplace")),
    ],
)
def test_whatever_was_chosen_copies_what_it_should(placement: str, n: int) -> None:
    case = Case("relu", "backward", placement, n=n, cache="cold")
    control = CopyPlain()
    slots = Slots(control, case, InputSource(1).of(case), CACHE_BYTES)
    slots.grow()
    control.choose(slots, Calls(slots, lambda _: None, lambda _: ()))
    for slot in slots.ring:
        slots.refill(slot)
        assert slot.dy is not None
        wanted = control.expected(case, slot.x, slot.dy).copy()
        assert np.array_equal(slot.call().view("u4"), wanted.view("u4"))
