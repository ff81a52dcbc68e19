"""What copies of the same bytes say of an arm in the rows that are written: how near it comes, and whom they accuse."""

from __future__ import annotations

import pytest

from bench.plan.experiments import Arm
from kernels.api import Case
from tests.states import CASE, US, state, states, written


def test_on_a_card_its_own_clock_says_how_near_an_arm_comes_to_a_copy() -> None:
    """Launch and wait, which a copy has as well, are in the time of a call and not in that."""
    measured = states(state(Arm("fast"), [500 * US] * 8, device_s=300 * US))
    assert written(CASE, measured)["fast candidate"].ceiling_fraction == pytest.approx(0.8)
    copy = next(each for each in measured if each.arm.backend == "copy_plain")
    copy.device_s = 285 * US
    assert written(CASE, measured)["fast candidate"].ceiling_fraction == pytest.approx(0.95)
    assert written(CASE, measured)["base baseline"].ceiling_fraction == pytest.approx(0.5), (
        "it has no device_s"
    )


def test_faster_than_any_copy_is_mistrusted_with_its_figures() -> None:
    cells = written(CASE, states(state(Arm("magic"), [200 * US] * 8), state(Arm("good"), [390 * US] * 8)))
    magic = cells["magic candidate"]
    assert magic.status == "mistrusted"
    assert "times as fast as the fastest copy of the same bytes" in magic.reason
    assert magic.ceiling_fraction == pytest.approx(2.0)
    assert magic.verdict == ""
    assert cells["good candidate"].status == "ok"


def test_the_ceiling_is_a_copy_that_all_processes_have_had() -> None:
    """It bounds what an arm does in its second process only, too."""
    fast = state(Arm("fast"), [500 * US] * 8)
    measured = [*states(fast)[:-2], state(Arm("copy_streaming", "ceiling"), [300 * US] * 8, second=())]
    cell = written(CASE, measured)["fast candidate"]
    assert cell.ceiling_gb_per_s == pytest.approx(8_000_000 / (400 * US) / 1e9)
    assert cell.ceiling_fraction == pytest.approx(0.8)


@pytest.mark.parametrize(
    ("rounds", "status"),
    [
        ([387 * US] * 8, "ok"),
        ([330 * US] * 8, "mistrusted"),
        ([300 * US, 440 * US] * 4, "ok"),
    ],
    ids=["within 5 %", "above, beyond the noise", "above, within the noise"],
)
def test_a_copy_of_400_us_bounds_a_cell(rounds: list[float], status: str) -> None:
    assert written(CASE, states(state(Arm("fast"), rounds)))["fast candidate"].status == status


def test_in_one_process_each_the_luck_of_a_copy_accuses_nobody() -> None:
    """A process may be slower than its code for as long as it lives; with two of each that is known."""
    for magic, expected in (([330 * US] * 8, "ok"), ([200 * US] * 8, "mistrusted")):
        measured = states(state(Arm("fast"), magic))
        for each in measured:
            each.batches = [one for one in each.batches if one.process == 1]
        assert written(CASE, measured)["fast candidate"].status == expected


def test_a_slow_spell_over_all_rounds_of_the_copies_accuses_nobody() -> None:
    """An arm that goes on is measured in the calm after it, which the copies have not seen."""
    cell = written(CASE, states(state(Arm("fast"), [600 * US] * 8 + [390 * US] * 40), copy=[600 * US] * 8))
    fast = cell["fast candidate"]
    assert fast.time_s == pytest.approx(390 * US, rel=0.01)
    assert fast.status == "ok"
    assert fast.ceiling_fraction == pytest.approx(1.0)


def test_a_copy_that_was_disturbed_is_no_ceiling() -> None:
    """Its time is not known, or it waited for CPUs in all of its rounds: thousands of per cent of it say nothing."""
    honest = state(Arm("fast"), [400 * US] * 8)
    for copy, waited in (([400 * US, 1600 * US] * 4, 0.0), ([1200 * US] * 8, 0.5), ([16000 * US] * 8, 0.98)):
        cell = written(CASE, states(honest, copy=copy, streaming=copy, waited=waited))["fast candidate"]
        assert cell.status == "ok"
        assert (cell.ceiling_fraction, cell.ceiling_gb_per_s) == (None, None)
        assert cell.gb_per_s == pytest.approx(20.0)


def test_a_copy_that_varies_a_little_is_one() -> None:
    copy = [380 * US, 420 * US] * 4
    cell = written(CASE, states(state(Arm("fast"), [500 * US] * 8), copy=copy))["fast candidate"]
    assert cell.ceiling_fraction == pytest.approx(0.8, rel=0.02)


def test_an_allocating_copy_that_was_disturbed_is_not_told() -> None:
    fresh, copy = (
        Case("relu", n=1_000_000),
        state(Arm("copy_allocating", "allocation"), [US * 500, US * 3000] * 4),
    )
    cells = written(fresh, states(state(Arm("fast"), [800 * US] * 8), copy))
    assert cells["fast candidate"].allocating_gb_per_s is None
    assert cells["fast candidate"].ceiling_gb_per_s == pytest.approx(20.0)


def test_what_allocating_costs_stands_beside_the_ceiling() -> None:
    fresh, copy = Case("relu", n=1_000_000), state(Arm("copy_allocating", "allocation"), [1000 * US] * 8)
    cells = written(fresh, states(state(Arm("fast"), [800 * US] * 8), copy))
    assert cells["fast candidate"].ceiling_gb_per_s == pytest.approx(20.0)
    assert cells["fast candidate"].allocating_gb_per_s == pytest.approx(8.0)
    assert cells["copy_allocating allocation"].ceiling_fraction == pytest.approx(0.4)
    assert cells["copy_allocating allocation"].verdict == ""
    assert (
        written(CASE, states(state(Arm("fast"), [800 * US] * 8)))["fast candidate"].allocating_gb_per_s
        is None
    )


@pytest.mark.parametrize(
    ("copy", "waited"),
    [
        ([400 * US] * 8, 0.5),
        ([400 * US, 401 * US] + [4000 * US] * 6, 0.0),
        ([400 * US], 0.0),
    ],
    ids=["waited for a CPU", "rounds disagree", "two rounds"],
)
def test_a_disturbed_copy_accuses_nobody(copy: list[float], waited: float) -> None:
    """Nor does the other one, which is slower by nature."""
    cells = written(CASE, states(state(Arm("fast"), [200 * US] * 8), copy=copy, waited=waited))
    assert cells["fast candidate"].status == "ok"


def test_where_no_copy_was_timed_that_is_said() -> None:
    measured = states(state(Arm("fast"), [200 * US] * 8))
    for each in measured:
        if each.arm.role == "ceiling":
            each.fail("crashed", "killed")
    cell = written(CASE, measured)["fast candidate"]
    assert cell.status == "ok"
    assert "whether the arm moved them is not checked" in cell.reason


def test_small_calls_are_measured_against_the_cost_of_a_call() -> None:
    """A copy of eight bytes is all call; being quicker at it by two empty calls proves nothing."""
    tiny = Case("relu", placement="out", n=1)
    cells = written(tiny, states(state(Arm("quick"), [2e-7] * 8), copy=[3.9e-7] * 8, streaming=[3.9e-7] * 8))
    assert cells["quick candidate"].status == "ok"
