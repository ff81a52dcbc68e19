"""What chance decides about one of several arms that are nearly as fast is the same for all of them."""

from __future__ import annotations

from dataclasses import replace

from bench.messages import Sample
from bench.plan.experiments import Arm, Experiment
from bench.run.arm_state import ArmState
from bench.run.evidence import Evidence
from bench.run.experiment import Limits, run
from bench.run.near_arms import count_alike
from kernels.api import Case
from tests.scripted import PER_CALL_S, FakePool, FakeSurroundings
from tests.states import batch


def _state(seconds: float, mean_s: float) -> ArmState:
    return ArmState(Arm("any"), batches=[batch(i, seconds, mean_s=mean_s) for i in range(10)])


def _counted(state: ArmState) -> set[float]:
    return set(Evidence(1).rounds(state).values())


def test_whole_batches_count_of_all_that_are_as_fast_as_one_that_works_in_bursts() -> None:
    """Beside most parts of an equal arm's batches, whole batches of one were up to eight times as long."""
    bursts, calm, slower = _state(1.0, 3.0), _state(1.0, 1.1), _state(2.0, 2.1)
    count_alike([bursts, slower, calm])
    assert list(map(_counted, (bursts, slower, calm))) == [{3.0}, {2.0}, {1.1}]


def test_it_is_decided_anew_as_more_is_known() -> None:
    """What an arm's rounds counted with is not kept from when another still seemed to work in bursts."""
    bursts, calm, evidence = _state(1.0, 3.0), _state(1.0, 1.1), Evidence(1)
    count_alike([bursts, calm])
    assert set(evidence.rounds(calm).values()) == {1.1}
    bursts.batches += [batch(i, 1.0) for i in range(10, 40)]
    count_alike([bursts, calm])
    assert set(evidence.rounds(calm).values()) == {1.0}


def test_an_arm_that_has_failed_decides_about_no_other() -> None:
    failed, calm = _state(1.0, 3.0), _state(1.0, 1.1)
    failed.fail("mistrusted", "it worked between its calls")
    count_alike([failed, calm])
    assert _counted(calm) == {1.0}


def test_a_copy_decides_about_no_implementation() -> None:
    copy, calm = _state(1.0, 3.0), _state(1.0, 1.1)
    copy.arm = Arm("copy_plain", "ceiling")
    count_alike([copy, calm])
    assert list(map(_counted, (copy, calm))) == [{3.0}, {1.0}]


def test_a_run_counts_equal_arms_alike() -> None:
    def in_bursts(_number: int, sample: Sample) -> Sample:
        first, *rest = sample.parts
        stretched = (first * (17 if pool.asked.backend == "bursts" else 1.8), *rest)
        return replace(sample, parts=stretched, seconds=sum(stretched) / len(stretched))

    around = FakeSurroundings()
    pool = FakePool(around, in_bursts)
    arms = (Arm("a", "baseline"), Arm("bursts"))
    limits = Limits(5.0, 0.002, 0.0005, max_rounds=6)
    calm, bursts = run(Experiment(Case("relu", n=64), arms), pool, limits, 1, around).states
    assert [round(value / PER_CALL_S, 3) for state in (calm, bursts) for value in _counted(state)] == [
        1.1,
        3.0,
    ]
