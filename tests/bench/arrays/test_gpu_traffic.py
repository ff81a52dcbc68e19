"""What goes over the bus to a device, and what does not; by a stand-in that is no CUDA card."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from bench.arm.server import ArmServer
from bench.arrays.gpu_ring import CardSlots
from bench.arrays.inputs import InputSource
from bench.judging.activation import ActivationGate
from bench.run.pool import SEED
from kernels.api import Case
from kernels.numbers import host_arrays
from tests.standin import Array, QueueCard, QueueRelu

CASE = Case("leaky_relu", "forward", "out", n=1 << 15, device="cuda")
PLANTED = 64


@pytest.fixture(autouse=True)
def _soon_warm(monkeypatch: pytest.MonkeyPatch) -> None:
    """How long a card is warmed up matters to no test here."""
    monkeypatch.setattr("bench.arm.device_clock._STEADY_S", 0.01)
    monkeypatch.setattr("bench.arm.device_clock._AGAIN_S", 0.004)


def prepared(make: type[QueueRelu], case: Case) -> tuple[ArmServer, Any, QueueCard]:
    arm = ArmServer(make, SEED, 1 << 16)
    arm.load()
    ready = arm.prepare(case)
    assert ready.skip is None
    assert ready.gate.problem is None
    slots: Any = arm._slots
    return arm, arm.backend, slots.card


@pytest.mark.parametrize("placement", ["new", "out", "inplace"])
@pytest.mark.parametrize("direction", ["forward", "backward"])
def test_between_batches_only_what_changes_crosses_the_bus(direction: str, placement: str) -> None:
    arm, backend, card = prepared(QueueRelu, replace(CASE, direction=direction, placement=placement))
    for _ in range(2):
        assert arm.batch(20, 0.0).problem is None  # the first uses of each slot send all of it
    card.sent.clear()
    card.fetched.clear()
    adopted, fetched = backend.adopted, backend.fetched
    for _ in range(2):
        assert arm.batch(20, 0.0).problem is None
    assert max(card.sent) <= PLANTED
    assert 0 < max(card.fetched) <= PLANTED
    assert (backend.adopted, backend.fetched) == (adopted, fetched)
    assert arm.finish().problem is None, "the whole result is right, after all that was changed"


def test_in_place_each_call_has_a_fresh_input() -> None:
    """After a batch a slot holds one call's work on pristine inputs, not on what the call before left."""
    arm, backend, _ = prepared(QueueRelu, replace(CASE, placement="inplace", n=1 << 16))
    assert len(arm._slots.ring) == 1
    arm.batch(8, 0.0)
    slot, pristine = arm._slots.ring[0], arm._gate.inputs.x
    left = backend.to_numpy(slot.handles[0])
    untouched = np.setdiff1d(np.flatnonzero(pristine < 0), arm._plants.index[0])
    scaled = (pristine[untouched] * np.float32(0.01)).astype(np.float32)
    np.testing.assert_array_equal(left[untouched], scaled)


def slots_of(case: Case) -> tuple[CardSlots, QueueRelu]:
    backend = QueueRelu()
    slots = CardSlots(backend, case, InputSource(SEED).of(case), 1 << 16)
    slots.refill(slots.ring[0])
    return slots, backend


def test_the_poison_of_the_gate_reaches_the_device() -> None:
    slots, backend = slots_of(CASE)
    with next(iter(ActivationGate(slots).trials())):
        assert host_arrays.is_poison(backend.to_numpy(slots.ring[0].handles[2])).all()


class Reuses(QueueRelu):
    """Has one place for all results, as an allocator may, and leaves it alone while its input is the same."""

    name = "reuses"

    def _bound(self, case: Case, x: Array, dy: Array | None, out: Array | None) -> Callable[[], Any]:
        place = np.empty_like(x)
        work = super()._bound(replace(case, placement="out"), x, dy, place)
        seen: list[bytes] = []

        def call() -> Any:
            self._stream.wait()
            now = x.tobytes()
            if seen != [now]:
                seen[:] = [now]
                work()
            return place

        return call


def test_a_dropped_result_is_poisoned_on_the_device() -> None:
    arm, _, _ = prepared(Reuses, replace(CASE, placement="new", n=64))
    problems = [arm.batch(8, 0.0).problem for _ in range(3)]
    assert any(problem and "does nothing when the input has not changed" in problem for problem in problems)


def test_arms_that_have_memory_in_turn_hand_it_all_over_again() -> None:
    for placement in ("new", "out", "inplace"):
        arm = ArmServer(QueueRelu, SEED, 1 << 16)
        arm.load()
        case = replace(CASE, placement=placement, n=64)
        assert arm.prepare(case, in_turn=True).gate.problem is None
        assert [arm.batch(8, 0.0).problem for _ in range(3)] == [None] * 3
        assert arm.finish().problem is None
        assert arm.device_time().device_s is not None
