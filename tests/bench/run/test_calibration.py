"""How many calls make a batch: found by probes, and mended where these were disturbed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import pytest

from bench.messages import Sample
from bench.plan.experiments import Arm, Experiment
from bench.run.arm_state import ArmState
from bench.run.evidence import Evidence
from bench.run.experiment import Limits, Visit, run
from bench.run.rounds import calls_for
from kernels.api import Case
from tests.scripted import PER_CALL_S, FakePool, FakeSurroundings

LIMITS = Limits(5.0, 0.002, 0.0005, max_rounds=4)


@pytest.mark.parametrize(
    ("per_call_s", "calls"),
    [
        (1e-6, 20_000),
        (0.9e-3, 23),
        (1e-3, 20),  # as long as the warm-up, and no longer
        (0.012, 3),  # longer: as many as fit into 0.03 s
        (0.0011, 6),  # but no more than six, where a shorter batch has fewer
        (5.0, 2),
        (0.0, 20_000_000),
    ],
)
def test_calls_of_a_batch(per_call_s: float, calls: int) -> None:
    batch_s = 0.02 if per_call_s != 0.0011 else 0.001
    assert calls_for(per_call_s, batch_s=batch_s, warm_s=0.001) == calls


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
