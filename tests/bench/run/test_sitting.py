"""Which experiment is measured in which process, and when an arm, or an experiment, is done."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest

from bench.plan.experiments import Arm, Experiment
from bench.plan.options import parse
from bench.plan.time_plan import TimePlan
from bench.records.columns import TIMED
from bench.records.writing import RunFiles
from bench.run.arm_state import ArmState, Batch
from bench.run.progress import Silent
from bench.run.race import CONTROL_ROUNDS, LEAST_ROUNDS
from bench.run.run import Run
from bench.run.sitting import Sitting
from bench.run.time_account import TimeAccount
from kernels.api import Case
from tests.machines import ARMS, FACTORS, Machine


def test_every_arm_is_measured_in_two_processes_and_of_the_controls_the_fastest_copy() -> None:
    """Nobody may beat it, in no process; what else shows the machine's limits has done so in the first."""
    machine = Machine(0.005)
    machine.measured({})
    assert [process for process, _ in machine.pools] == [1, 2]
    assert set(machine.rounds(1)) == {arm.label for arm in ARMS}
    assert set(machine.rounds(2)) == {arm.label for arm in ARMS} - {"copy_streaming", "empty_call"}


@pytest.mark.parametrize(("copy", "way"), [(1.0, "parallel"), (2.0, "")])
def test_a_copy_goes_the_way_that_won_unless_an_arm_was_faster(
    monkeypatch: pytest.MonkeyPatch, copy: float, way: str
) -> None:
    """A race that went wrong would be wrong in every process."""
    monkeypatch.setitem(FACTORS, "copy_plain", copy)
    monkeypatch.setitem(FACTORS, "copy_streaming", 2 * copy)
    machine = Machine(0.005)
    machine.measured({})
    assert machine.told == [(1, "copy_plain", ""), (1, "copy_streaming", ""), (2, "copy_plain", way)]


def test_a_block_is_measured_in_one_process_before_the_next() -> None:
    """Starting processes anew for each experiment would take longer than measuring it."""
    machine = Machine(0.005)
    machine.measured({}, sizes=(64, 65, 66))
    assert [process for process, _ in machine.pools] == [1, 2]
    assert len(machine.ended) == 3


def test_all_that_a_block_needs_is_started_side_by_side() -> None:
    """Who begins in a later experiment would be waited for there, alone."""
    machine, late = Machine(0.005), Arm("late")
    chosen = [Experiment(Case("relu", n=64), ARMS), Experiment(Case("relu", n=65), (*ARMS, late))]
    machine.sits(parse({"processes": "2"}), chosen, TimePlan(60.0, 0.0, 2))
    assert [process for process, _ in machine.pools] == [1, 2]
    assert all(late in pool.opened[0] for _, pool in machine.pools)


def test_verdicts_rest_on_all_that_their_block_has_shown() -> None:
    """Processes differ; by the first experiment alone that is known badly."""
    machine = Machine(0.005, between=0.05)
    machine.measured({}, sizes=range(64, 70))
    (block,) = machine.blocks
    assert [experiment.case for experiment, _, _ in block] == list(machine.ended)
    sds = [evidence.spread.spread("quick", 8 * 64).sd for _, _, evidence in block]
    first, last = (machine.evidence[Case("relu", n=n)].spread.spread("quick", 8 * 64).sd for n in (64, 69))
    assert sds == [last] * 6
    assert first != last
    for _, states, evidence in block:  # each arm's own processes still count
        assert set(evidence.own) == {state.arm for state in states}


def test_what_a_run_writes_is_judged_with_all_that_its_block_has_shown(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In its files as in its answers: the first experiment's cells know of processes as much as the last one's."""
    machine = Machine(0.005, between=0.05)
    monkeypatch.setattr("bench.run.sitting.pool_of", machine.start)
    chosen = [Experiment(Case("relu", n=n), ARMS) for n in range(64, 66)]
    settings = parse({"results": str(tmp_path), "run_id": "r", "processes": "2"})
    with Run(settings, chosen, machine.around) as run:
        assert run.measure(chosen[0])
        assert not any(map(run.measure, chosen[1:]))
        shown = run.rows()
    stored = RunFiles(run.files.folder).open()
    assert [each.cell for each in stored.values()] == shown
    assert {cell.kind_sd for cell in shown if cell.status in TIMED} == {shown[-1].kind_sd}
    assert len({cell.process_df for cell in shown if cell.backend == "near"}) == 1
    assert run.account.measured == len(chosen)


def test_blocks_end_before_a_run_that_dies_loses_much() -> None:
    machine = Machine(0.005)
    machine.measured({"max_seconds": "200"}, sizes=(64, 65, 66, 67), seconds=2000.0)
    assert [process for process, _ in machine.pools] == [1, 2, 1, 2]


def test_as_many_processes_as_asked_for() -> None:
    machine = Machine(0.005)
    machine.measured({"processes": "3"})
    assert [process for process, _ in machine.pools] == [1, 2, 3]


def test_who_is_far_behind_is_measured_no_longer_than_it_takes_to_see_it() -> None:
    machine = Machine(0.03)
    machine.measured({})
    assert machine.rounds(1)["copy_plain"] == machine.rounds(1)["empty_call"]
    for process in (1, 2):
        rounds = machine.rounds(process)
        assert rounds["far"] == LEAST_ROUNDS
        assert LEAST_ROUNDS <= rounds["copy_plain"] <= CONTROL_ROUNDS
        assert rounds["quick"] == rounds["near"] >= LEAST_ROUNDS
    assert sum(machine.rounds(process)["near"] for process in (1, 2)) > 2 * LEAST_ROUNDS


def test_copies_go_on_beside_arms_that_do_for_as_long_as_it_takes_to_bound_them() -> None:
    machine = Machine(0.06)
    machine.measured({})
    for process in (1, 2):
        rounds = machine.rounds(process)
        assert rounds["near"] > CONTROL_ROUNDS
        assert rounds["copy_plain"] == CONTROL_ROUNDS
    assert machine.rounds(1)["empty_call"] == CONTROL_ROUNDS


def test_where_processes_differ_more_rounds_are_not_made() -> None:
    """They could not make anything known."""
    quiet, uneven = Machine(0.03), Machine(0.03, between=0.1)
    sizes = range(64, 76)
    quiet.measured({}, sizes, seconds=2000.0)
    uneven.measured({}, sizes, seconds=2000.0)
    rounds = [sum(m.rounds(2, n)["near"] for n in sizes[6:]) for m in (quiet, uneven)]
    assert rounds[1] < rounds[0]


def test_resolve_goes_on_with_more_processes_until_all_is_known() -> None:
    """Processes differ by nearly as much as is asked about, so two of them do not show it."""
    machine = Machine(0.002, between=0.04)
    machine.measured({"resolve": "5%"}, seconds=10_000.0)
    assert 2 < machine.pools[-1][0] <= 8
    without = Machine(0.002, between=0.04)
    without.measured({}, seconds=10_000.0)
    assert without.pools[-1][0] == 2


@pytest.mark.parametrize(("process", "kept"), [(1, 1), (2, 2)])
def test_who_interrupts_a_run_keeps_what_was_measured_in_a_process(process: int, kept: int) -> None:
    """In the middle of the second visit of that process; of two experiments, the first, or both, were visited once."""
    machine = Machine(0.005)
    settings, chosen = parse({"results": "nowhere"}), [Experiment(Case("relu", n=n), ARMS) for n in (64, 65)]
    watcher = Interrupter(process, n=65)
    sitting = Sitting(
        settings, chosen, TimePlan(60.0, 0.0, 2), machine.around,
        account=TimeAccount(), observer=watcher, start=machine.start,
    )  # fmt: skip
    with pytest.raises(KeyboardInterrupt):
        sitting.measure(chosen[0], machine.end)
    assert [case.n for case in machine.ended] == [64, 65][:kept]
    for n in (64, 65)[:kept]:
        assert min(machine.rounds(1, n).values()) >= LEAST_ROUNDS
    assert 65 not in {case.n for case in machine.ended} or not machine.rounds(2, 65)


class Interrupter(Silent):
    """Interrupts after the third round of an experiment in a process."""

    def __init__(self, process: int, n: int) -> None:
        self._wanted, self._now = (n, process), (0, 0)

    def visit(self, experiment: Experiment, process: int) -> None:
        self._now = experiment.case.n, process

    def round(self, number: int, states: Sequence[ArmState]) -> None:
        if self._now == self._wanted and number == 3:
            raise KeyboardInterrupt


class Watcher(Silent):
    """Remembers what it is told."""

    def __init__(self) -> None:
        self.told: list[tuple[object, ...]] = []

    def visit(self, experiment: Experiment, process: int) -> None:
        self.told.append(("visit", experiment.case.n, process))

    def waits(self, arms: Sequence[Arm], doing: str) -> None:
        self.told.append((doing, *(arm.label for arm in arms)))

    def round(self, number: int, states: Sequence[ArmState]) -> None:
        self.told.append(("round", number))


def test_an_observer_is_told_of_all_that_is_waited_for() -> None:
    machine, watcher = Machine(0.005), Watcher()
    settings = parse({"results": "nowhere"})
    chosen = [Experiment(Case("relu", n=n), ARMS) for n in (64, 65)]
    allowed = TimePlan(60.0, 0.0, 2)
    sitting = Sitting(
        settings,
        chosen,
        allowed,
        machine.around,
        account=TimeAccount(),
        observer=watcher,
        start=machine.start,
    )
    for experiment in chosen:
        sitting.measure(experiment, machine.end)
    everybody = tuple(arm.label for arm in ARMS)
    assert watcher.told[:4] == [
        ("visit", 64, 1),
        *[("starting", *everybody)] * 2,
        ("compiling", *everybody),
    ]
    assert [each for each in watcher.told if each[0] == "visit"] == [
        ("visit", n, process) for process in (1, 2) for n in (64, 65)
    ]
    timed = [each for each in watcher.told if each[0] == "being timed"]
    assert len(timed) == sum(len(pool.batches) for _, pool in machine.pools)
    rounds = [each[1] for each in watcher.told if each[0] == "round"]
    assert rounds[:LEAST_ROUNDS] == list(range(1, LEAST_ROUNDS + 1))


def test_orders_put_the_leader_in_the_middle_and_are_mirrored() -> None:
    machine = Machine(0.01)
    machine.measured({})
    states = machine.ended[Case("relu", n=64)]
    places = {
        number: [
            state.arm.label
            for _, state in sorted(
                ((each.order, state) for state in states for each in state.batches if _is(each, 2, number)),
                key=lambda placed: placed[0],
            )
        ]
        for number in (0, 1)
    }
    assert places[0] == places[1][::-1]
    assert places[0][len(places[0]) // 2] == "quick"


def _is(batch: Batch, process: int, number: int) -> bool:
    return (batch.process, batch.round) == (process, number)
