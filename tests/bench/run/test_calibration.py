"""How many calls make a batch: found by probes, and mended where these were disturbed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import pytest

from bench.messages import Sample
from bench.plan.experiments import Arm, Experiment
from bench.run.arm_state import ArmState
from bench.run.batch_calls import agree, calls_for
from bench.run.evidence import Evidence
from bench.run.experiment import Limits, Visit, run
from kernels.api import Case
from tests.scripted import PER_CALL_S, FakePool, FakeSurroundings

LIMITS = Limits(5.0, 0.002, 0.0005, max_rounds=4)


@pytest.mark.parametrize(
    ("per_call_s", "calls"),
    [
        (1e-6, 20_000),
        (0.9e-3, 23),
        (0.012, 3),  # as many as fit into 0.03 s
        (0.0049, 6),  # but no more than six, where the wanted length has fewer
        (0.004, 6),
        (5.0, 2),
        (0.0, 20_000_000),
    ],
)
def test_calls_of_a_batch(per_call_s: float, calls: int) -> None:
    assert calls_for(per_call_s, batch_s=0.02) == calls


def test_a_call_that_takes_longer_is_never_in_a_batch_of_more_calls() -> None:
    """Of 0.49 ms a batch had four calls, and of 0.51 ms six: equal arms had one or the other by chance."""
    counts = [calls_for(1e-6 * 1.02**step, batch_s=0.0015) for step in range(800)]
    assert counts == sorted(counts, reverse=True)


def _probed(*times_s: float) -> list[int]:
    """The calls of a batch of arms whose probes say so."""
    states = [ArmState(Arm(f"arm {number}")) for number in range(len(times_s))]
    for state, time_s in zip(states, times_s, strict=True):
        state.batch_s, state.probed_s, state.iterations = 0.0015, time_s, calls_for(time_s, 0.0015)
    agree(states)
    return [state.iterations for state in states]


def test_arms_whose_probes_differ_by_chance_make_equally_many_calls() -> None:
    """Among equal arms those with more calls a batch took less time a call, process after process."""
    assert _probed(110e-6, 100e-6, 120e-6) == [15, 15, 15]


def test_arms_that_are_not_near_have_batches_as_long_as_they_need() -> None:
    assert _probed(100e-6, 200e-6, 210e-6, 10e-3) == [15, 8, 8, 3]


def test_many_near_arms_are_split_where_they_differ_most() -> None:
    """The slowest would have batches five times as long as they have to be."""
    times_s = [100e-6, 122e-6, 148e-6, 180e-6, 223e-6, 270e-6, 328e-6, 400e-6, 487e-6]
    assert _probed(*times_s) == [15, 15, 15, 15, 7, 7, 7, 7, 7]


def test_an_arm_of_which_nothing_is_known_stays_out_of_it() -> None:
    """It has failed, or its probes have."""
    silent = ArmState(Arm("silent"), batch_s=0.0015)
    timed = ArmState(Arm("timed"), batch_s=0.0015, probed_s=1e-4, iterations=15)
    agree([silent, timed])
    assert (silent.iterations, timed.iterations) == (1, 15)


def test_equal_arms_make_equally_many_calls_in_every_process() -> None:
    """However their probes differed, and though one of them was found to need longer batches."""
    around = FakeSurroundings()
    arms = (Arm("a", "baseline"), Arm("a", "twin"))
    experiment = Experiment(Case("relu", n=64), arms)
    pool = FakePool(around, probes={arms[0]: PER_CALL_S, arms[1]: 1.1 * PER_CALL_S})
    states = run(experiment, pool, LIMITS, 1, around).states
    assert len({batch.iterations for state in states for batch in state.batches}) == 1
    pool = FakePool(around, probes={arms[0]: 0.9 * PER_CALL_S, arms[1]: 40 * PER_CALL_S})
    states = run(experiment, pool, LIMITS, 1, around).states
    visit = Visit(Evidence(experiment.case.bytes_moved), states, process=2)
    run(experiment, FakePool(around), LIMITS, 1, around, visit=visit)
    assert len({batch.iterations for state in states for batch in state.batches if batch.round}) == 1


def _measured(probe_s: float) -> tuple[Sequence[ArmState], dict[Arm, int]]:
    """Two arms whose probes say so; their states, and the number of calls that their probes led to."""
    around = FakeSurroundings()
    pool = FakePool(around, probe_s=probe_s)
    arms = (Arm("a", "baseline"), Arm("a", "twin"))
    states = run(Experiment(Case("relu", n=64), arms), pool, LIMITS, 1, around).states
    first: dict[Arm, int] = {}
    for arm, sample in pool.batches:
        first.setdefault(arm, sample.iterations)
    return states, first


def test_probes_that_were_all_disturbed_cost_no_round() -> None:
    """Batches a fortieth as long as wanted would measure what comes before and after their calls."""
    states, first = _measured(40 * PER_CALL_S)
    for state in states:
        assert len(state.batches) == 4
        assert min(batch.iterations for batch in state.batches) > 10 * first[state.arm]


def test_a_batch_that_is_long_enough_is_not_measured_again() -> None:
    states, first = _measured(0.5 * PER_CALL_S)
    assert {batch.iterations for state in states for batch in state.batches} == set(first.values())


def test_in_its_next_process_an_arm_keeps_the_length_of_its_batches() -> None:
    """Whatever the one probe says there: it is for the threads that the process works in."""
    around = FakeSurroundings()
    experiment = Experiment(Case("relu", n=64), (Arm("a", "baseline"), Arm("a", "twin")))
    states = run(experiment, FakePool(around), LIMITS, 1, around).states
    visit = Visit(Evidence(experiment.case.bytes_moved), states, process=2)
    run(experiment, FakePool(around, probe_s=0.1 * PER_CALL_S), LIMITS, 1, around, visit=visit)
    for state in states:
        assert {batch.process for batch in state.batches} == {1, 2}
        assert len({batch.iterations for batch in state.batches}) == 1


def test_quartiles_of_few_parts_lie_between_them() -> None:
    """Two parts, one of which was disturbed: no call takes less than none."""

    def disturbed(_number: int, sample: Sample) -> Sample:
        first, *_ = sample.parts
        return replace(sample, parts=(first, 10 * first), seconds=5.5 * first)

    around = FakeSurroundings()
    pool = FakePool(around, disturbed)
    arms = (Arm("a", "baseline"), Arm("a", "twin"))
    states = run(Experiment(Case("relu", n=64), arms), pool, LIMITS, 1, around).states
    for batch in (batch for state in states for batch in state.batches):
        assert PER_CALL_S <= batch.part_q25_s <= batch.seconds <= batch.part_q75_s <= 10 * PER_CALL_S
