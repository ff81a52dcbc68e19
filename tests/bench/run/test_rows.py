"""From what was measured to what is written down, on rounds whose answers are known."""

from __future__ import annotations

import pytest

from bench.machine.own_usage import Cost
from bench.messages import Finished
from bench.plan.experiments import Arm, Experiment, Variant, case_label
from bench.run.arm_state import ArmState
from bench.run.evidence import Evidence
from bench.run.rows import rounds_of
from bench.run.time_account import TimeAccount
from bench.stats.slow_cpus import SlowCpus
from tests.states import CASE, STAMP, US, batch, state, states, written


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
    seen.batches[0] = batch(0, 600 * US, shared_reading_s=2e-5)
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
