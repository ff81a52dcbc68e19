"""The order in which slots are called: nobody can foresee it, and cold memory stays cold."""

from __future__ import annotations

import numpy as np
import pytest

from bench.arrays.call_ring import Slots
from bench.arrays.inputs import InputSource
from kernels.api import Case
from tests.mutants import HonestNumpy

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
