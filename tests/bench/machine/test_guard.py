"""The guard waits for a quiet machine: for a bounded time, and not where that is in vain."""

from __future__ import annotations

import itertools
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import replace

import pytest

from bench.machine.foreign_load import ForeignUse
from bench.machine.guard import Guard
from bench.machine.surroundings import runnable
from bench.messages import Sample
from bench.plan.experiments import Arm, Experiment
from bench.run.arm_state import ArmState
from bench.run.experiment import Limits, run
from kernels.api import Case
from tests.running import wait_until
from tests.scripted import NEVER, QUIET, FakePool, FakeSurroundings


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


def test_waits_until_the_others_have_ended() -> None:
    around = FakeSurroundings([999, 999, 998, 1])
    guard = Guard(around, 1.0, around)
    guard.wait()
    assert around.asked == 4
    assert 0 < guard.lost_s < 0.75
    assert guard.patient


def test_gives_up_where_others_never_end() -> None:
    around = FakeSurroundings([999])
    guard = Guard(around, 60.0, around)
    guard.alarm()
    for _ in range(2):
        assert guard.alarmed
        guard.wait()
    assert not guard.alarmed
    lost_s = guard.lost_s
    guard.wait()
    assert guard.lost_s == lost_s


def test_waits_no_longer_than_it_is_allowed() -> None:
    around = FakeSurroundings(itertools.cycle([999, 999, 1]))
    guard = Guard(around, 0.01, around)
    for _ in range(100):
        guard.wait()
    assert not guard.patient
    assert guard.extra_s == 0.01


def test_beside_who_never_gives_way_less_is_repeated() -> None:
    around = FakeSurroundings([999])
    guard = Guard(around, 3.0, around)
    guard.spend(1.1)
    assert guard.has_time
    for _ in range(2):
        guard.wait()
    assert not guard.has_time


def test_an_alarm_ends_after_some_quiet_rounds() -> None:
    around = FakeSurroundings()
    guard = Guard(around, 1.0, around)
    guard.alarm()
    rounds = 0
    while guard.alarmed:
        guard.after_round(foreign=False)
        rounds += 1
    assert rounds == 4
    guard.after_round(foreign=True)
    assert guard.alarmed


def test_without_a_load_average_the_machines_time_is_looked_at() -> None:
    busy, quiet = ForeignUse(0.1, 0.1), ForeignUse(0.1, 0.0)
    around = FakeSurroundings([None], [*[busy, busy] * 3, busy, quiet, busy])
    guard = Guard(around, 5.0, around)
    guard.wait()
    assert guard.lost_s == pytest.approx(4 * 0.05)
    assert guard.patient


def _measured(
    around: FakeSurroundings, *, guard: bool, waits: Mapping[int, float] | float = 0.0, idle_s: float = 0.0
) -> list[ArmState]:
    """Two arms in five rounds; `waits` is the share of a batch, by its number, without a CPU."""

    def change(number: int, sample: Sample) -> Sample:
        share = waits if isinstance(waits, float) else waits.get(number, 0.0)
        waited_s = share * (sample.ended - sample.began)
        usage = replace(sample.usage, waited_s=waited_s)
        return replace(sample, usage=usage, idle_s=idle_s, idle_cpu_s=idle_s)

    arms = (Arm("a", "baseline"), Arm("a", "twin"))
    limits = Limits(20.0, 0.002, 0.0, NEVER, min_rounds=3, max_rounds=5, guard=guard)
    measured = run(Experiment(Case("relu", n=64), arms), FakePool(around, change), limits, 1, around)
    return list(measured.states)


@pytest.mark.parametrize("running", [1, 999, None])
@pytest.mark.parametrize("guard", [True, False])
def test_what_others_disturbed_is_counted_whoever_sees_them(guard: bool, running: int | None) -> None:
    """1: the time of a virtual machine's CPUs is stolen, and no thread is seen."""
    states = _measured(FakeSurroundings([running], [ForeignUse(1.0, 1.0)]), guard=guard)
    for state in states:
        last = {batch.round: batch for batch in state.batches}
        assert len(last) == 5
        assert all(batch.contended for batch in last.values())
        assert state.contended == len(state.batches)
    repeated = sum(len(state.batches) - len({batch.round for batch in state.batches}) for state in states)
    assert (repeated > 0) is guard
    if running == 1 and guard:  # waiting is never in vain
        assert repeated == 2 * 5 * 2


def test_on_a_quiet_machine_nothing_is_repeated_nor_waited_for() -> None:
    around = FakeSurroundings()
    for state in _measured(around, guard=True):
        assert len(state.batches) == 5
        assert state.contended == 0
    assert around.asked == 0


_RISING = {2: 0.4, 3: 0.9, 4: 0.95}
"""Shares of the batches of an arm's second round that are more than it is used to, each time."""


@pytest.mark.parametrize(
    ("for_s", "foreign_s", "repeated"), [(0.02, 0.01, True), (0.02, 0.0, False), (0.005, 0.01, False)]
)
def test_once_alarmed_a_batch_beside_others_is_repeated(
    for_s: float, foreign_s: float, repeated: bool
) -> None:
    """Something runs after each batch; what ends soon, or takes no tick of foreign time, is a pool that still spins."""
    around = FakeSurroundings(
        lambda since: 999 if since < for_s else 1, [QUIET] * 4 + [ForeignUse(1.0, foreign_s)]
    )
    states = _measured(around, guard=True, waits={2: 0.4, 3: 0.9})
    assert all(len(state.batches) >= 5 for state in states)
    disturbed = sum(state.contended for state in states)
    batches = sum(len(state.batches) for state in states)
    assert (batches, disturbed) == ((26, 24) if repeated else (12, 2))


@pytest.mark.parametrize("starved", [1, 2, 3])
def test_a_batch_that_is_starved_twice_in_a_row_is_an_alarm(starved: int) -> None:
    """From then on it is asked before each batch whether others run."""
    around = FakeSurroundings()
    states = _measured(around, guard=True, waits=dict(list(_RISING.items())[:starved]))
    assert sum(state.contended for state in states) == starved
    assert (around.asked > 0) is (starved > 1)


@pytest.mark.parametrize(("foreign_s", "learnt"), [(0.02, False), (0.0, True)])
def test_what_others_cause_is_not_what_an_arm_is_used_to(foreign_s: float, learnt: bool) -> None:
    """Else a batch that waited all the time would soon be as good as any."""
    around = FakeSurroundings(foreign=[ForeignUse(10.0, foreign_s)])
    for state in _measured(around, guard=False, waits=0.9):
        assert [batch.contended for batch in state.batches] == [True] + [not learnt] * 4


def test_only_while_others_are_measured_does_an_arm_have_to_rest() -> None:
    """A batch that is repeated at once follows on the arm's own, whose pool may still spin."""
    around = FakeSurroundings(foreign=[ForeignUse(1.0, 0.01)])
    for state in _measured(around, guard=True, waits=0.9, idle_s=1.0):
        assert len(state.batches) == 15
        assert 1 <= state.idle_s == state.idle_cpu_s <= 5
