"""What slow CPUs explain is taken off all arms of a kind alike: readings of one batch are no part of a ratio."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import replace
from statistics import fmean

import numpy as np
import pytest

from bench.messages import Sample
from bench.plan.experiments import Arm, Experiment
from bench.run.arm_state import ArmState
from bench.run.evidence import Evidence
from bench.run.experiment import Limits, Visit, run
from kernels.api import Case
from tests.scripted import FakePool, FakeSurroundings

LIMITS = Limits(5.0, 0.002, 0.0005, max_rounds=12)
SERIAL = (Arm("a", "baseline"), Arm("b"), Arm("c"))
PARALLEL = (Arm("p"), Arm("q"))


def _measured(slow: float) -> tuple[Sequence[ArmState], Evidence]:
    """Arms on CPUs whose readings vary; in half of the rounds they are so many times as slow, and so are all times."""
    rng, around = np.random.default_rng(1), FakeSurroundings()
    arms = (*SERIAL, *PARALLEL)

    def change(number: int, sample: Sample) -> Sample:
        factor = slow if number // len(arms) % 2 else 1.0
        looks = tuple(((0, 1e-5 * factor * rng.uniform(1.0, 1.4)),) for _ in range(3))
        parts = tuple(part * factor for part in sample.parts)
        return replace(
            sample,
            seconds=sample.seconds * factor,
            parts=parts,
            pace=looks,
            in_threads=pool.asked in PARALLEL,
        )

    pool = FakePool(around, change)
    experiment = Experiment(Case("relu", n=64), arms)
    visit = Visit.alone(experiment)
    return run(experiment, pool, LIMITS, 1, around, visit=visit).states, visit.evidence


def test_a_rounds_reading_is_the_mean_of_the_arms_of_a_kind() -> None:
    states, _ = _measured(1.0)
    readings: defaultdict[tuple[int, bool], list[tuple[float, float]]] = defaultdict(list)
    for state in states:
        for each in state.batches:
            assert each.cpu_reading_s is not None
            assert each.shared_reading_s is not None
            readings[each.round, state.is_parallel].append((each.cpu_reading_s, each.shared_reading_s))
    assert {len(some) for some in readings.values()} == {len(SERIAL), len(PARALLEL)}
    for some in readings.values():
        own, shared = zip(*some, strict=True)
        assert shared == pytest.approx([fmean(own)] * len(own))


def test_arms_of_a_kind_that_take_as_long_have_times_that_are_equal_to_the_last_digit() -> None:
    states, evidence = _measured(2.0)
    one, *others = (evidence.rounds(state) for state in states if not state.is_parallel)
    assert set(one.values()) != {each.seconds for each in states[0].batches}  # something was taken off
    assert others == [one, one]


def test_rounds_on_slow_cpus_count_as_less() -> None:
    states, evidence = _measured(2.0)
    for state in states:
        times = evidence.rounds(state)
        raw = {(batch.process, batch.round): batch.seconds for batch in state.batches}
        spread = max(times.values()) / min(times.values())
        assert max(raw.values()) / min(raw.values()) == pytest.approx(2.0)
        assert spread < 1.6
