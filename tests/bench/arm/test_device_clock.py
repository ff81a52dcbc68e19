"""A device's own clock is believed only where calls queued up behind a busy device; by a stand-in that is none."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from bench.arm.device_clock import device_seconds, queued_seconds
from bench.arm.server import ArmServer
from bench.arrays.gpu_ring import CardSlots
from bench.arrays.inputs import InputSource
from bench.run.pool import SEED
from kernels.api import Case
from tests.standin import Event, QueueCard, QueueRelu, SlowQueueRelu

CASE = Case("relu", "forward", "out", n=64, device="cuda")


class HastyCard(QueueCard):
    """Comes to a mark before anything else is launched, unless it is held for long enough."""

    enough = 4

    def hold(self, times: int = 1) -> None:
        if times >= self.enough:
            super().hold(times)
        else:
            self.held.append(times)

    def mark(self) -> Event:
        event = Event(self._stream)
        if not self.held or self.held[-1] < self.enough:
            event.wait()
        return event


class NeverHeld(HastyCard):
    """Does so however long it is held."""

    enough = 1 << 30


def slots_on(card: type[QueueCard], make: type[QueueRelu] = SlowQueueRelu) -> CardSlots:
    class On(make):  # type: ignore[misc, valid-type]  # one backend on several cards
        def card(self, device: str) -> QueueCard:
            return card(self._stream)

    return CardSlots(On(), CASE, InputSource(SEED).of(CASE), 1 << 16)


def test_a_device_that_was_not_held_for_long_enough_is_held_for_longer() -> None:
    slots = slots_on(HastyCard)
    assert isinstance(slots.card, HastyCard)
    seconds = device_seconds(slots, slots.backend.sync)
    assert seconds is not None
    assert seconds >= 0.9 * SlowQueueRelu.busy_s
    assert slots.card.held[:4] == [1, 2, 4, 4], "twice too short, then long enough"


def test_where_no_call_queues_up_nothing_is_told() -> None:
    slots = slots_on(NeverHeld, QueueRelu)
    assert device_seconds(slots, slots.backend.sync) is None


class Profiled(QueueCard):
    """Of a framework without events, whose profiler knows how long the device worked."""

    def mark(self) -> None:  # type: ignore[override]
        """None."""

    def profile(self, run: Any, calls: int) -> float | None:
        run()
        self.seen = calls
        return 0.5 * calls if calls else None


def test_without_events_the_framework_s_profiler_is_asked() -> None:
    slots = slots_on(Profiled, QueueRelu)
    card: Any = slots.card
    assert device_seconds(slots, slots.backend.sync) == 0.5
    assert card.seen == 8
    slots.case = replace(CASE, placement="inplace")
    assert device_seconds(slots, slots.backend.sync) is None, "a call consumes its input"


def test_calls_in_a_queue_are_waited_for_once() -> None:
    slots = slots_on(QueueCard, QueueRelu)
    made, waited, call = list[None](), list[None](), slots.ring[0].call

    def counted() -> Any:
        made.append(None)
        return call()

    def sync(result: Any) -> None:
        waited.append(None)
        slots.backend.sync(result)

    slots.ring[0].call = counted
    assert queued_seconds(slots, sync) is not None
    assert len(made) == 64 * len(waited)
    slots.case = replace(CASE, placement="inplace")
    assert queued_seconds(slots, sync) is None, "a call needs a fresh input each time"


class Restless(QueueRelu):
    """Once it is told to, each call takes twice as long as the one before, for as long as it is warmed up."""

    restless, turn = False, 0

    def _bound(self, case: Case, x: Any, dy: Any, out: Any) -> Any:
        call, self.busy_s = super()._bound(case, x, dy, out), 1e-3
        slower = super()._bound(case, x, dy, out)
        self.busy_s = 0.0

        def changing() -> Any:
            self.turn += 1
            result = call()
            for _ in range(min(2**self.turn, 64) if self.restless else 0):
                result = slower()
            return result

        return changing


def test_batches_on_a_card_whose_clocks_do_not_settle_are_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("bench.arm.device_clock._STEADY_S", 0.01)
    arm = ArmServer(Restless, SEED, 1 << 16)
    arm.load()
    arm.prepare(CASE)
    backend: Any = arm.backend
    before = arm._unsettled
    backend.restless, backend.turn = True, 0
    arm.batch(4, 0.0)
    assert arm.finish().unsettled == before + 1
