"""What rounds count with is worked out once, and anew whenever something has changed that it rests on."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from bench.plan.experiments import Arm
from bench.run.arm_state import ArmState
from bench.run.evidence import Evidence, learn_slopes
from bench.stats.slow_cpus import SlowCpus
from tests.states import CASE, US, batch, state


def _one() -> ArmState:
    one = state(Arm("one"), [500 * US] * 4)
    one.batches[0] = batch(0, 600 * US, shared_reading_s=2e-5)
    one.batches[-1] = batch(3, 700 * US, process=2, shared_reading_s=3e-5)
    one.process = 2
    return one


def _slower_cpus(evidence: Evidence, arm: ArmState) -> None:
    for _ in range(200):
        evidence.slow.see(1.5e-5)


def _slopes(evidence: Evidence, arm: ArmState) -> None:
    learn_slopes(evidence, [arm])


def _one_more(evidence: Evidence, arm: ArmState) -> None:
    arm.batches.append(batch(4, 800 * US, process=2))


def _another_last(evidence: Evidence, arm: ArmState) -> None:
    arm.batches[-1] = batch(3, 900 * US, process=2)


def _one_less(evidence: Evidence, arm: ArmState) -> None:
    del arm.batches[1]


@pytest.mark.parametrize("change", [_slower_cpus, _slopes, _one_more, _another_last, _one_less])
def test_rounds_follow(change: Callable[[Evidence, ArmState], None]) -> None:
    slow, arm, other = SlowCpus(), _one(), state(Arm("other"), [510 * US] * 4)
    for _ in range(20):
        slow.see(1e-5)
    evidence = Evidence(CASE.bytes_moved, slow=slow)
    before = evidence.rounds(arm)
    assert evidence.rounds(arm) is before
    assert evidence.leader([arm, other]) is arm
    change(evidence, arm)
    afresh = Evidence(CASE.bytes_moved, slow=slow)
    assert evidence.rounds(arm) == afresh.rounds(arm) != before
    for each in (evidence, afresh):
        assert each.verdict(arm, other) == afresh.verdict(arm, other)


def test_the_leader_is_who_is_fastest_now() -> None:
    arm, other = _one(), state(Arm("other"), [510 * US] * 4)
    evidence = Evidence(CASE.bytes_moved)
    assert evidence.leader([arm, other]) is arm
    other.batches += [batch(number, 300 * US, process=2) for number in range(4, 20)]
    assert evidence.leader([arm, other]) is other
