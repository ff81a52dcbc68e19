"""Who has the last look at its results beside whom, and who is asked first for what takes long."""

from __future__ import annotations

from dataclasses import replace

import pytest

from bench.messages import Finish, Sample
from bench.plan.experiments import Arm, Experiment
from bench.run.experiment import Limits, run
from bench.run.process_pool import asking_order
from kernels.api import Case
from tests.scripted import PER_CALL_S, FakePool, FakeSurroundings, seconds_of

LIMITS = Limits(5.0, 0.002, 0.0005, max_rounds=4)
SERIAL, OTHER, PARALLEL = Arm("serial", "baseline"), Arm("other"), Arm("parallel")


@pytest.mark.parametrize(("per_call_s", "alone"), [(PER_CALL_S, True), (0.02, False)])
def test_short_calls_of_several_threads_are_looked_at_beside_nobody(
    per_call_s: float, *, alone: bool
) -> None:
    """The look makes hundreds of them, and each would wait for a CPU that another arm's look has."""

    def told(_number: int, sample: Sample) -> Sample:
        sample = seconds_of(sample, per_call_s / PER_CALL_S)
        return replace(sample, in_threads=pool.asked == PARALLEL)

    around = FakeSurroundings()
    pool = FakePool(around, told)
    run(Experiment(Case("relu", n=64), (SERIAL, OTHER, PARALLEL)), pool, LIMITS, 1, around)
    looked = [set(arms) for request, arms in pool.together if request is Finish]
    assert looked == ([{SERIAL, OTHER}, {PARALLEL}] if alone else [{SERIAL, OTHER, PARALLEL}])


def test_who_takes_longest_is_asked_first_and_others_in_their_order() -> None:
    arms = [Arm("numpy_ufunc"), Arm("numba_jit"), Arm("mine"), Arm("torch_compile"), Arm("torch_eager")]
    order = [arms[place].backend for place in asking_order(arms)]
    assert order == ["torch_compile", "numba_jit", "numpy_ufunc", "mine", "torch_eager"]
