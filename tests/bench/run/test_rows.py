"""From what was measured to what is written down, on rounds whose answers are known."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from bench.messages import Finished
from bench.plan.experiments import Arm, Experiment, Variant
from bench.records.schema import Cell
from bench.run.arm_state import ArmState, Batch
from bench.run.rows import cells_of, rounds_of
from kernels.api import Case
from tests.states import CASE, STAMP, US, state, states


def written(case: Case, measured: Sequence[ArmState]) -> dict[str, Cell]:
    cells = cells_of(Experiment(case, tuple(each.arm for each in measured)), measured, STAMP)
    assert [cell.backend for cell in cells] == [each.arm.backend for each in measured]
    return {f"{cell.backend} {cell.role}": cell for cell in cells}


def test_figures_of_equal_rounds() -> None:
    cell = written(CASE, states(state(Arm("fast"), [500 * US] * 8)))["fast candidate"]
    assert (cell.status, cell.reason) == ("ok", "")
    assert (cell.rounds, cell.iterations, cell.bytes_moved) == (8, 10, 8_000_000)
    assert (cell.time_s, cell.time_lo_s, cell.time_hi_s) == pytest.approx((500 * US,) * 3)
    assert (cell.min_s, cell.q25_s, cell.median_s, cell.q75_s, cell.max_s) == pytest.approx((500 * US,) * 5)
    assert cell.gb_per_s == pytest.approx(16.0)
    assert cell.ceiling_gb_per_s == pytest.approx(20.0)
    assert cell.ceiling_fraction == pytest.approx(0.8)
    assert cell.noise_floor == pytest.approx(0.01)
    assert (cell.speedup, cell.speedup_lo, cell.speedup_hi) == pytest.approx((1.6,) * 3)
    assert (cell.baseline, cell.verdict) == ("base", "faster")


def test_baseline_and_controls_have_no_verdict() -> None:
    cells = written(CASE, states())
    assert cells["base baseline"].speedup == 1.0
    assert cells["base twin"].speedup == pytest.approx(800 / 808)
    assert cells["empty_call floor"].gb_per_s is None
    assert {cell.verdict for cell in cells.values()} == {""}


def test_nothing_inside_the_noise_floor_is_a_difference() -> None:
    cells = written(CASE, states(state(Arm("near"), [793 * US] * 8), state(Arm("far"), [780 * US] * 8)))
    assert cells["near candidate"].verdict == "tie"
    assert cells["far candidate"].verdict == "faster"


def test_wide_interval_is_noisy_and_says_how_wide() -> None:
    cell = written(CASE, states(state(Arm("wild"), [500 * US, 900 * US] * 4)))["wild candidate"]
    assert cell.status == "noisy"
    assert "after 8 rounds, wanted ±2.0 %" in cell.reason
    assert cell.time_s is not None


def test_a_round_that_was_measured_again_counts_as_measured_last() -> None:
    again = state(Arm("again"), [500 * US] * 8)
    again.batches[3:3] = [Batch(3, 1, 10, 9.0, contended=True)]
    again.contended = 1
    cells = written(CASE, states(again))
    assert cells["again candidate"].max_s == pytest.approx(500 * US)
    assert (cells["again candidate"].rounds, cells["again candidate"].contended_rounds) == (8, 1)
    rows = rounds_of(Experiment(CASE, (again.arm,)), [again], STAMP)
    assert [(row.round, row.contended) for row in rows if row.round == 3] == [(3, 1), (3, 0)]


def test_failures_keep_their_status_and_have_a_reason_on_one_line() -> None:
    failed = ArmState(Arm("failed"), failure=("failed", "two\nlines\0 and \udc80 " + "x" * 5000))
    cell = written(CASE, states(failed))["failed candidate"]
    assert cell.status == "failed"
    assert cell.reason.startswith("two lines and \\udc80 xxx")
    assert len(cell.reason) <= 1000
    assert cell.time_s is None
    assert cell.rounds is None


def test_faster_than_any_copy_is_mistrusted_with_its_figures() -> None:
    cells = written(CASE, states(state(Arm("magic"), [200 * US] * 8), state(Arm("good"), [350 * US] * 8)))
    magic = cells["magic candidate"]
    assert magic.status == "mistrusted"
    assert "2.00 times as fast as the fastest round of a copy of the same bytes" in magic.reason
    assert magic.ceiling_fraction == pytest.approx(2.0)
    assert magic.verdict == ""
    assert cells["good candidate"].status == "ok"


@pytest.mark.parametrize(
    ("copy", "waited"),
    [
        ([400 * US] * 8, 0.5),
        ([400 * US, 401 * US] + [4000 * US] * 6, 0.0),
        ([400 * US] * 2, 0.0),
    ],
    ids=["waited for a CPU", "rounds disagree", "two rounds"],
)
def test_a_disturbed_copy_accuses_nobody(copy: list[float], waited: float) -> None:
    """Nor does the other one, which is slower by nature."""
    cells = written(CASE, states(state(Arm("fast"), [200 * US] * 8), copy=copy, waited=waited))
    assert cells["fast candidate"].status == "ok"


def test_recycled_results_may_be_faster_than_a_copy_into_fresh_memory() -> None:
    fresh = Case("relu", n=1_000_000)
    cells = written(fresh, states(state(Arm("pooled"), [100 * US] * 8), state(Arm("magic"), [30 * US] * 8)))
    assert cells["pooled candidate"].status == "ok"
    assert cells["magic candidate"].status == "mistrusted"


def test_small_calls_are_measured_against_the_cost_of_a_call() -> None:
    """A copy of eight bytes is all call; being quicker at it by less than two empty calls proves nothing."""
    tiny = Case("relu", placement="out", n=1)
    cells = written(tiny, states(state(Arm("quick"), [2e-7] * 8), copy=[3.9e-7] * 8, streaming=[3.9e-7] * 8))
    assert cells["quick candidate"].status == "ok"


def test_recompiling_is_mistrusted() -> None:
    report = Finished(None, {"recompiles": 1, "eager_fallback": 0})
    cell = written(CASE, states(state(Arm("graph"), [500 * US] * 8, finished=report)))["graph candidate"]
    assert cell.status == "mistrusted"
    assert "did not keep to one compiled graph" in cell.reason


def test_without_its_baseline_an_arm_has_times_and_no_ratio() -> None:
    measured = states(state(Arm("fast"), [500 * US] * 8))
    measured[0].fail("crashed", "killed by SIGSEGV in 'batch'")
    cells = written(CASE, measured)
    assert cells["base baseline"].status == "crashed"
    assert cells["fast candidate"].time_s == pytest.approx(500 * US)
    assert (cells["fast candidate"].speedup, cells["fast candidate"].verdict) == (None, "")


def test_variants_are_arms_of_their_own() -> None:
    variant = state(Arm("base", variant=Variant("thp", (("A", "1"),))), [400 * US] * 8)
    cells = written(CASE, states(variant))
    assert cells["base candidate"].variant == "thp"
    assert cells["base candidate"].speedup == pytest.approx(2.0)
