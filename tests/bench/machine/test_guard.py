"""The guard waits for a quiet machine: for a bounded time, and not where that is in vain."""

from __future__ import annotations

import itertools
import subprocess
import sys
from collections.abc import Iterable
from dataclasses import replace

import pytest

from bench.machine import guard as guarding
from bench.machine.foreign_load import Clock, ForeignUse
from bench.machine.guard import Guard, runnable
from bench.messages import Sample
from bench.plan.experiments import Arm, Experiment
from bench.run import rounds
from bench.run.arm_state import ArmState
from bench.run.experiment import Limits, run
from bench.run.pool import InlinePool
from bench.run.usual_speed import Usual
from kernels.api import Case
from tests.running import wait_until


@pytest.fixture(autouse=True)
def fast_cpus(monkeypatch: pytest.MonkeyPatch) -> None:
    """A slow one is another reason to measure again (test_pace.py)."""
    monkeypatch.setattr(Usual, "times", lambda _usual, _process, _readings, parts: [1.0] * parts)


def _running(monkeypatch: pytest.MonkeyPatch, counts: Iterable[int | None]) -> None:
    told = iter(counts)
    monkeypatch.setattr(guarding, "runnable", lambda: next(told))


@pytest.mark.skipif(sys.platform != "linux", reason="told by Linux only")
def test_runnable_counts_what_is_busy() -> None:
    command = [sys.executable, "-c", "while True: pass"]
    busy = [subprocess.Popen(command) for _ in range(3)]
    try:
        wait_until(lambda: (runnable() or 0) >= 4, "three busy processes and this one")
    finally:
        for process in busy:
            process.kill()
            process.wait()


def test_waits_until_the_others_have_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    told = iter([999, 999, 998, 1])
    monkeypatch.setattr(guarding, "runnable", lambda: next(told))
    guard = Guard(Clock(), 1.0)
    guard.wait()
    assert next(told, "nobody asked again") == "nobody asked again"
    assert 0 < guard.lost_s < 0.75
    assert guard.patient


def test_gives_up_where_others_never_end(monkeypatch: pytest.MonkeyPatch) -> None:
    _running(monkeypatch, itertools.repeat(999))
    guard = Guard(Clock(), 60.0)
    guard.alarm()
    for _ in range(2):
        assert guard.alarmed
        guard.wait()
    assert not guard.alarmed
    lost_s = guard.lost_s
    guard.wait()
    assert guard.lost_s == lost_s


def test_waits_no_longer_than_it_is_allowed(monkeypatch: pytest.MonkeyPatch) -> None:
    _running(monkeypatch, itertools.cycle([999, 999, 1]))
    guard = Guard(Clock(), 0.01)
    for _ in range(100):
        guard.wait()
    assert not guard.patient
    assert guard.extra_s == 0.01


def test_beside_who_never_gives_way_less_is_repeated(monkeypatch: pytest.MonkeyPatch) -> None:
    _running(monkeypatch, itertools.repeat(999))
    guard = Guard(Clock(), 3.0)
    guard.spend(1.1)
    assert guard.has_time
    for _ in range(2):
        guard.wait()
    assert not guard.has_time


def test_an_alarm_ends_after_some_quiet_rounds() -> None:
    guard = Guard(Clock(), 1.0)
    guard.alarm()
    rounds = 0
    while guard.alarmed:
        guard.after_round(foreign=False)
        rounds += 1
    assert rounds == 4
    guard.after_round(foreign=True)
    assert guard.alarmed


def test_without_a_load_average_the_machines_time_is_looked_at(monkeypatch: pytest.MonkeyPatch) -> None:
    _running(monkeypatch, itertools.repeat(None))
    seen = iter([True, True, True, False])
    windows = []

    def window(_clock: Clock) -> ForeignUse:
        windows.append(1)
        return ForeignUse(0.1, 0.1 if len(windows) % 2 == 0 and next(seen) else 0.0)

    monkeypatch.setattr(Clock, "window", window)
    guard = Guard(Clock(), 5.0)
    guard.wait()
    assert next(seen, None) is None
    assert guard.patient


def _measured(limits: Limits) -> list[ArmState]:
    arms = (Arm("numpy_ufunc", "baseline"), Arm("numpy_ufunc", "twin"))
    return run(Experiment(Case("relu", n=64), arms), InlinePool({}), limits, seed=1).states


def _limits(*, guard: bool) -> Limits:
    return Limits(20.0, 0.002, 0.0, 1e-9, min_rounds=3, max_rounds=5, guard=guard)


@pytest.mark.parametrize("running", [1, 999, None])
@pytest.mark.parametrize("guard", [True, False])
def test_what_others_disturbed_is_counted_whoever_sees_them(
    monkeypatch: pytest.MonkeyPatch, guard: bool, running: int | None
) -> None:
    """1: the time of a virtual machine's CPUs is stolen, and no thread is seen."""
    _running(monkeypatch, itertools.repeat(running))
    monkeypatch.setattr(Clock, "window", lambda _: ForeignUse(1.0, 1.0))
    monkeypatch.setattr(rounds, "waiting_share", lambda _: 0.0)
    states = _measured(_limits(guard=guard))
    for state in states:
        last = {batch.round: batch for batch in state.batches}
        assert len(last) == 5
        assert all(batch.contended for batch in last.values())
        assert state.contended == len(state.batches)
    repeated = sum(len(state.batches) - len({batch.round for batch in state.batches}) for state in states)
    assert (repeated > 0) is guard
    if running == 1 and guard:  # waiting is never in vain
        assert repeated == 2 * 5 * 2


def test_on_a_quiet_machine_nothing_is_repeated(monkeypatch: pytest.MonkeyPatch) -> None:
    _running(monkeypatch, itertools.repeat(1))
    monkeypatch.setattr(Clock, "window", lambda _: ForeignUse(1.0, 0.0))
    monkeypatch.setattr(rounds, "waiting_share", lambda _: 0.0)
    for state in _measured(_limits(guard=True)):
        assert len(state.batches) == 5
        assert state.contended == 0


@pytest.mark.parametrize(("foreign_s", "repeated"), [(0.01, True), (0.0, False)])
def test_once_alarmed_a_batch_beside_others_is_repeated(
    monkeypatch: pytest.MonkeyPatch, foreign_s: float, repeated: bool
) -> None:
    """Something runs after each batch; without a tick of foreign time it is the arm's own threads that spin."""
    monkeypatch.setattr(Guard, "alarmed", True)
    monkeypatch.setattr(Guard, "others_run", lambda _self, for_s=guarding._SPIN_S: for_s == guarding._SPIN_S)
    monkeypatch.setattr(Clock, "window", lambda _: ForeignUse(1.0, foreign_s))
    monkeypatch.setattr(rounds, "waiting_share", lambda _: 0.0)
    for state in _measured(_limits(guard=True)):
        assert len(state.batches) == (15 if repeated else 5)
        assert state.contended == (15 if repeated else 0)


@pytest.mark.parametrize(("starved", "alarms"), [([True], 0), ([True, True], 1), ([True, True, True], 2)])
def test_a_batch_that_is_starved_twice_in_a_row_is_an_alarm(
    monkeypatch: pytest.MonkeyPatch, starved: list[bool], alarms: int
) -> None:
    told = itertools.chain(starved, itertools.repeat(False))
    raised = []
    monkeypatch.setattr(rounds, "starved", lambda *_: next(told))
    monkeypatch.setattr(Guard, "alarm", lambda _: raised.append(1))
    monkeypatch.setattr(Clock, "window", lambda _: ForeignUse(1.0, 0.0))
    states = _measured(_limits(guard=True))
    assert len(raised) == alarms
    assert sum(state.contended for state in states) == len(starved)


def test_what_others_cause_is_not_what_an_arm_is_used_to(monkeypatch: pytest.MonkeyPatch) -> None:
    """Else a batch that waited all the time would soon be as good as any."""
    monkeypatch.setattr(rounds, "waiting_share", lambda _: 0.9)
    for foreign_s, learnt in ((0.02, False), (0.0, True)):
        seen = ForeignUse(10.0, foreign_s)
        monkeypatch.setattr(Clock, "window", lambda _, seen=seen: seen)
        for state in _measured(_limits(guard=False)):
            assert [batch.contended for batch in state.batches] == [True] + [not learnt] * 4


def test_only_while_others_are_measured_does_an_arm_have_to_rest(monkeypatch: pytest.MonkeyPatch) -> None:
    """A batch that is repeated at once follows on the arm's own, whose pool may still spin."""
    sample_of = rounds.Rounds._sample

    def restless(self: rounds.Rounds, state: ArmState, number: int) -> Sample | None:
        sample = sample_of(self, state, number)
        return sample and replace(sample, idle_s=1.0, idle_cpu_s=1.0)

    monkeypatch.setattr(rounds.Rounds, "_sample", restless)
    monkeypatch.setattr(rounds, "starved", lambda *_: True)
    monkeypatch.setattr(Guard, "alarm", lambda _: None)
    monkeypatch.setattr(Clock, "window", lambda _: ForeignUse(1.0, 0.0))
    states = _measured(_limits(guard=True))
    for state in states:
        assert len(state.batches) == 15
        assert 1 <= state.idle_s == state.idle_cpu_s <= 5
