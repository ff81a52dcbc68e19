"""From what was measured to what is written down, on rounds whose answers are known."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from bench.machine.own_usage import Cost
from bench.messages import Finished
from bench.plan.experiments import Arm, Experiment, Variant, case_label
from bench.records.schema import Cell
from bench.run.arm_state import ArmState
from bench.run.evidence import Evidence
from bench.run.rows import cells_of, rounds_of
from bench.run.time_account import TimeAccount
from bench.stats.slow_cpus import SlowCpus
from kernels.api import Case
from tests.states import CASE, STAMP, US, batch, state, states


def written(case: Case, measured: Sequence[ArmState]) -> dict[str, Cell]:
    cells = cells_of(Experiment(case, tuple(each.arm for each in measured)), measured, STAMP)
    assert [cell.backend for cell in cells] == [each.arm.backend for each in measured]
    return {f"{cell.backend} {cell.role}": cell for cell in cells}


def test_figures_of_equal_rounds() -> None:
    cell = written(CASE, states(state(Arm("fast"), [500 * US] * 8)))["fast candidate"]
    assert (cell.status, cell.reason) == ("ok", "")
    assert (cell.rounds, cell.iterations, cell.bytes_moved) == (16, 10, 8_000_000)
    assert cell.time_s == pytest.approx(500 * US)
    assert (cell.min_s, cell.q25_s, cell.median_s, cell.q75_s, cell.max_s) == pytest.approx((500 * US,) * 5)
    assert cell.gb_per_s == pytest.approx(16.0)
    assert cell.ceiling_gb_per_s == pytest.approx(20.0)
    assert cell.ceiling_fraction == pytest.approx(0.8)
    assert cell.speedup == pytest.approx(1.6)
    assert (cell.baseline, cell.verdict) == ("base", "faster")
    assert (cell.leader, cell.leader_verdict, cell.over_leader) == ("fast", "same", 1.0)
    assert (cell.processes, cell.kind, cell.mean_over_median) == (2, "serial", 1.0)


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


def test_the_clocks_of_a_card_are_told_by_experiment_and_arm() -> None:
    account, arm = TimeAccount(), state(Arm("fast"), [500 * US])
    arm.batches = [batch(i, 500 * US, sm_mhz=mhz) for i, mhz in enumerate((1980, 1500, 1980))]
    account.count(Experiment(CASE, (arm.arm,)), [arm, state(Arm("untold"), [500 * US])])
    assert account.sitting()["sm_mhz"] == {case_label(CASE): {"fast": [1500, 1980, 1980]}}


def test_baseline_and_controls_have_no_verdict() -> None:
    cells = written(CASE, states())
    assert cells["base baseline"].speedup == 1.0
    assert cells["base twin"].speedup == pytest.approx(800 / 808)
    assert cells["empty_call floor"].gb_per_s is None
    assert {cell.verdict for cell in cells.values()} == {""}


def test_an_interval_speaks_for_a_new_process() -> None:
    """Rounds that are all alike in each of two processes, which differ: no number of rounds makes that certain."""
    arms = [
        state(Arm(f"arm{i}"), [500 * US] * 40, second=[500 * US * shift] * 40)
        for i, shift in enumerate((0.97, 0.99, 1.0, 1.01, 1.03))
    ]
    cell = written(CASE, states(*arms))["arm2 candidate"]
    assert cell.time_lo_s is not None
    assert cell.time_hi_s is not None
    assert cell.process_sd == pytest.approx(0.015, rel=0.4)
    assert cell.time_hi_s / cell.time_lo_s > 1.03


def test_what_a_call_costs_besides_time_is_told() -> None:
    seen = state(Arm("seen"), [500 * US] * 2)
    seen.batches = [batch(n, 500 * US, cost=Cost(4e-3, 1e-4, 20 * n)) for n in (1, 2)]
    seen.finished = Finished(None, {}, peak_bytes=12345)
    cell = written(CASE, states(seen))["seen candidate"]
    assert (cell.page_faults, cell.system_s, cell.cpu_s) == pytest.approx((3.0, 1e-5, 4e-4))
    assert cell.peak_bytes == 12345


def test_near_is_the_same_and_far_is_slower_than_the_leader() -> None:
    arms = [state(Arm(name), [x * US] * 8) for name, x in (("lead", 400), ("near", 402), ("far", 480))]
    cells = written(CASE, states(*arms))
    assert [cells[f"{each.arm.backend} candidate"].leader_verdict for each in arms] == [
        "same",
        "same",
        "slower",
    ]
    assert cells["far candidate"].over_leader == pytest.approx(1.2)
    assert {cells[f"{each.arm.backend} candidate"].verdict for each in arms} == {"faster"}
    assert {cell.status for cell in cells.values()} == {"ok"}


def test_what_is_not_known_is_noisy_and_says_what_it_takes() -> None:
    wild, quiet = (
        state(Arm("wild"), [700 * US, 900 * US] * 4),
        [state(Arm(f"quiet{n}"), [900 * US] * 8) for n in range(30)],
    )
    cell = written(CASE, states(wild, *quiet))["wild candidate"]
    assert (cell.status, cell.verdict) == ("noisy", "unresolved")
    assert cell.noise_floor is not None
    assert cell.noise_floor > 0.03
    assert f"unresolved beside base: only a difference of {100 * cell.noise_floor:.1f} %" in cell.reason
    assert cell.resolve_s is not None
    assert f"about {max(cell.resolve_s, 1):.0f} s more for the two would tell" in cell.reason
    assert cell.time_s is not None


def test_the_same_to_the_eye_is_no_verdict_where_processes_differ() -> None:
    """Each process is quiet and the two of each arm lie ten per cent apart: the mean is equal by luck."""
    shifts = [(1.0, 1.1), (1.05, 1.05), (1.1, 1.0), (1.02, 1.08), (1.0, 1.1)]
    arms = [
        state(Arm(f"arm{i}"), [400 * US * one] * 8, second=[400 * US * other] * 8)
        for i, (one, other) in enumerate(shifts)
    ]
    cells = written(CASE, states(*arms))
    verdicts = {cells[f"arm{i} candidate"].leader_verdict for i in range(5)}
    assert verdicts == {"same", "unresolved"}  # the leader is the same as itself
    assert sum(cells[f"arm{i} candidate"].leader_verdict == "same" for i in range(5)) == 1


def test_rounds_stand_with_their_process_and_what_slow_cpus_explain_is_off() -> None:
    slow = SlowCpus()
    for _ in range(20):
        slow.see(1e-5)
    seen = state(Arm("seen"), [500 * US] * 4)
    seen.batches[0] = batch(0, 600 * US, cpu_reading_s=2e-5)
    evidence = Evidence(CASE.bytes_moved, slow=slow)
    rows = rounds_of(Experiment(CASE, (seen.arm,)), [seen], STAMP, evidence)
    assert [(row.process, row.round) for row in rows] == [(p, n) for p in (1, 2) for n in range(4)]
    assert rows[0].part_median_s == pytest.approx(600 * US)
    assert rows[0].seconds == pytest.approx(600 * US / (2 / 1.1) ** 0.5)
    assert rows[1].seconds == rows[1].part_median_s == pytest.approx(500 * US)


def test_failures_keep_their_status_and_have_a_reason_on_one_line() -> None:
    failed = ArmState(Arm("failed"), failure=("failed", "two\nlines\0 and \udc80 " + "x" * 5000))
    cell = written(CASE, states(failed))["failed candidate"]
    assert cell.status == "failed"
    assert cell.reason.startswith("two lines? and ? xxx")
    assert len(cell.reason) <= 1000
    assert cell.time_s is None
    assert cell.rounds is None


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


def test_numpy_stands_in_for_a_torch_that_cannot_run() -> None:
    measured = states(state(Arm("numpy_ufunc"), [1000 * US] * 8), state(Arm("fast"), [500 * US] * 8))
    measured[0] = ArmState(Arm("torch_eager", "baseline"), failure=("failed", "is installed but broken"))
    pairs = Evidence(CASE.bytes_moved).asked_about(measured)
    assert any(one is measured[2] and other is measured[1] for one, other in pairs)
    cells = written(CASE, measured)
    assert {cell.baseline for cell in cells.values()} == {"numpy_ufunc"}
    assert cells["fast candidate"].speedup == pytest.approx(2.0)
    assert cells["fast candidate"].verdict == "faster"
    own = cells["numpy_ufunc candidate"]
    assert (own.speedup, own.verdict, own.leader_verdict) == (1.0, "", "slower")
    assert (cells["torch_eager baseline"].status, cells["torch_eager baseline"].speedup) == ("failed", None)


def test_nobody_stands_in_for_a_baseline_that_was_asked_for() -> None:
    measured = states(state(Arm("numpy_ufunc"), [1000 * US] * 8))
    measured[0].fail("crashed", "killed by SIGSEGV in 'batch'")
    assert written(CASE, measured)["numpy_ufunc candidate"].speedup is None


def test_variants_are_arms_of_their_own() -> None:
    variant = state(Arm("base", variant=Variant("thp", (("A", "1"),))), [400 * US] * 8)
    cells = written(CASE, states(variant))
    assert cells["base candidate"].variant == "thp"
    assert cells["base candidate"].speedup == pytest.approx(2.0)
