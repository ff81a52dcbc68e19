"""The order in which slots are called: nobody can foresee it, and cold memory stays cold."""

from __future__ import annotations

import tracemalloc
from typing import Any

import numpy as np
import pytest

from bench.arrays import other_memory
from bench.arrays.call_ring import Slots
from bench.arrays.inputs import InputSource
from kernels.api import Case
from tests.honest import HonestNumpy

CACHE_BYTES = 1 << 16


def slots_of(case: Case) -> Slots:
    slots = Slots(HonestNumpy(), case, InputSource(1).of(case), CACHE_BYTES)
    slots.grow()
    return slots


@pytest.mark.parametrize("counts", [(200,), (7,) * 30, (1, 50, 3) * 4])
def test_a_cold_slot_comes_again_after_more_bytes_than_the_cache_has(counts: tuple[int, ...]) -> None:
    case = Case("relu", placement="out", n=1000, cache="cold")
    slots = slots_of(case)
    walk = [id(slot) for count in counts for slot in slots.take(count)]
    assert len(walk) == sum(counts)
    assert set(walk) == {id(slot) for slot in slots.ring}
    last: dict[int, int] = {}
    between = []
    for step, slot in enumerate(walk):
        if slot in last:
            between.append(len(set(walk[last[slot] + 1 : step])))
        last[slot] = step
    assert min(between) * 2 * case.n * case.itemsize >= CACHE_BYTES


@pytest.mark.parametrize("placement", ["out", "inplace"])
def test_the_order_is_another_each_time(placement: str) -> None:
    slots = slots_of(Case("relu", placement=placement, n=1000, cache="cold"))
    count = len(slots.ring)
    places = {id(slot): place for place, slot in enumerate(slots.ring)}
    walks = np.array([[places[id(slot)] for slot in slots.take(count)] for _ in range(50)])
    followers = walks[:, 1:] - walks[:, :-1]
    assert np.mean(followers == 1) < 0.2  # by chance, one in the ring's size


def test_in_place_a_burst_has_no_slot_twice() -> None:
    slots = slots_of(Case("relu", placement="inplace", n=1000))
    assert len(slots.ring) > 10
    for count in (1, 5, len(slots.ring), len(slots.ring) - 1) * 5:
        assert len({id(slot) for slot in slots.take(count)}) == count


class Watched(Slots):
    """Counts evictions, and what was touched since the last one."""

    def __init__(self, *args: Any) -> None:
        self.evictions = 0
        super().__init__(*args)

    def evict(self) -> None:
        self.evictions += 1
        super().evict()


@pytest.mark.parametrize("placement", ["out", "new", "inplace"])
def test_what_is_called_is_cold_and_nothing_is_evicted_without_need(placement: str) -> None:
    """Of a cache so large that the ring cannot be larger, each call finds a slot untouched since the last eviction."""
    case = Case("relu", placement=placement, n=16, cache="cold")
    slots = Watched(HonestNumpy(), case, InputSource(1).of(case), 1 << 16)
    slots.grow()
    touched: set[int] = set()

    def called(count: int) -> None:
        before = slots.evictions
        taken = slots.take(count)
        slots.establish(taken, lambda slot: ())
        if slots.evictions > before:
            touched.clear()
        assert len({id(slot) for slot in taken}) == count
        assert not touched & {id(slot) for slot in taken}
        touched.update(map(id, taken))

    for _ in range(16):
        called(10)
    assert slots.evictions == (
        16 if placement == "inplace" else 1
    )  # in place, inputs are written before each burst
    for number, touch in enumerate((slots.renew, slots.put), 1):
        for slot in slots.ring:
            touch(slot, lambda slot: ())
        called(10)
        assert slots.evictions == (16 if placement == "inplace" else 1) + number
    called(len(slots.ring))
    assert slots.evictions == (19 if placement == "inplace" else 4)


def test_a_process_has_the_memory_for_evicting_once() -> None:
    def taken() -> int:
        tracemalloc.start()
        other_memory.write(1 << 20)
        held, _ = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        return held

    other_memory.let_go()
    assert taken() >= 1 << 20
    assert taken() < 1 << 16
    other_memory.let_go()
    assert taken() >= 1 << 20
