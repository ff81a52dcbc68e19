"""The arithmetic behind `scripts/compare.py`: corrections, errors from rounds, and how often it cries wolf."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import pandas as pd
import pytest

from bench.stats.bootstrap import spread_of_rounds
from bench.stats.comparison import Comparison, Side, compare
from bench.stats.drift import scatter
from bench.stats.significance import holm, rate_interval, t_bound, two_sided_p, welch_df
from kernels.api import AXES, Case

Noise = Callable[[np.random.Generator, tuple[int, int]], Any]
NOISES: Mapping[str, Noise] = {
    "normal": lambda rng, shape: rng.normal(0, 0.03, shape),
    "skewed": lambda rng, shape: rng.exponential(0.05, shape),
    "heavy-tailed": lambda rng, shape: 0.02 * rng.standard_t(2, shape),
}


def run(seconds: np.ndarray, run_id: str, role: str = "candidate") -> Side:
    """One arm in as many cases as `seconds` has rows, one column a round; no intervals, no noise floor."""
    cases, count = seconds.shape
    axes = pd.DataFrame(
        [{axis: getattr(Case("relu", n=n), axis) for axis in AXES} for n in range(1, cases + 1)]
    )
    arm = axes.assign(run_id=run_id, machine="m", backend="torch_eager", variant="", role=role)
    cells = arm.assign(
        status="ok",
        reason="",
        rounds=float(count),
        time_s=np.median(seconds, axis=1),
        baseline="numpy_ufunc",
        **dict.fromkeys(
            ("time_lo_s", "time_hi_s", "speedup", "speedup_lo", "speedup_hi", "noise_floor"), np.nan
        ),
    )
    rounds = arm.loc[arm.index.repeat(count)].reset_index(drop=True)
    numbers = np.tile(np.arange(count), cases)
    return Side(cells, rounds.assign(round=numbers, seconds=seconds.ravel(), contended=0))


def rounds_of(seconds: np.ndarray, role: str = "candidate") -> pd.DataFrame:
    rounds = run(seconds, "r", role).rounds
    assert rounds is not None
    return rounds


def changed(found: Comparison) -> int:
    return int(found.cells["change"].isin(["slower", "faster"]).sum())


@pytest.mark.parametrize(("noise", "count"), [("normal", 5), ("skewed", 15), ("heavy-tailed", 7)])
def test_families_of_unchanged_cells_raise_few_false_alarms(noise: str, count: int) -> None:
    rng = np.random.default_rng(count)
    alarms, single = 0, 0
    for _ in range(20):
        old, new = (run(1e-3 * np.exp(NOISES[noise](rng, (300, count))), name) for name in ("old", "new"))
        found = compare(old, new, threshold=0.0)
        alarms += changed(found) > 0
        single += int((found.cells["p_value"] < 0.05).sum())
    # 5 % of 20 is 1; more than 4 has a chance of 1 in 400.
    assert alarms <= 4
    assert single > 10 * 20 * 300 / 10_000  # not by never calling anything significant


def test_a_slowdown_of_one_cell_among_many_is_found() -> None:
    rng = np.random.default_rng(1)
    hits, others = 0, 0
    for _ in range(10):
        logs = NOISES["normal"](rng, (2, 200 * 15)).reshape(2, 200, 15)
        logs[1, 7] += np.log(1.2)
        found = compare(run(np.exp(logs[0]), "old"), run(np.exp(logs[1]), "new"))
        hits += found.cells["regression"][7]
        others += changed(found) - int(found.cells["change"][7] == "slower")
    assert hits >= 9
    assert others <= 1


def test_holm_corrects_step_by_step() -> None:
    # The example of Holm's procedure with p = 0.01, 0.04, 0.03, 0.005 (as in R's p.adjust).
    assert holm(np.array([0.01, 0.04, 0.03, 0.005])) == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert holm(np.array([0.5, np.nan, 0.02])) == pytest.approx([0.5, np.nan, 0.04], nan_ok=True)
    assert holm(np.zeros(0)).size == 0


@pytest.mark.parametrize(
    ("t", "df", "p"),
    [(1.95996, np.inf, 0.05), (2.7764, 4, 0.05), (2.0423, 30, 0.05), (8.6103, 4, 0.001), (12.924, 3, 0.001)],
)
def test_p_is_that_of_the_tables(t: float, df: float, p: float) -> None:
    found = two_sided_p(np.array([t, -t]), np.array([df, df]))
    assert found == pytest.approx([p, p], rel=1e-3)


def test_p_of_what_is_not_known_is_not_known() -> None:
    found = two_sided_p(np.array([np.nan, 1.0, 0.0, np.inf]), np.array([5.0, np.nan, 5.0, 5.0]))
    assert found == pytest.approx([np.nan, np.nan, 1.0, 0.0], nan_ok=True)
    assert two_sided_p(np.zeros(0), np.zeros(0)).size == 0


@pytest.mark.parametrize(("df", "bound"), [(1.0, 12.706), (4.0, 2.776), (8.0, 2.306), (np.inf, 1.960)])
def test_the_bound_is_where_p_is_5_per_cent(df: float, bound: float) -> None:
    dfs = np.array([df])
    assert t_bound(dfs) == pytest.approx([bound], abs=5e-4)
    assert two_sided_p(t_bound(dfs), dfs) == pytest.approx([0.05])


@pytest.mark.parametrize(
    ("hits", "of", "lo", "hi"),
    [(81, 263, 0.2553, 0.3662), (15, 148, 0.0624, 0.1605), (0, 20, 0.0, 0.1611), (1, 29, 0.0061, 0.1718)],
)
def test_the_interval_of_a_rate(hits: int, of: int, lo: float, hi: float) -> None:
    """The examples of R. Newcombe, Statistics in Medicine 17, 1998, p. 857, method 3."""
    assert rate_interval(hits, of) == pytest.approx((lo, hi), abs=5e-5)


def test_degrees_of_freedom_of_a_sum() -> None:
    equal = welch_df(np.array([[1.0], [1.0]]), np.array([[6.0], [6.0]]))
    one = welch_df(np.array([[1.0], [0.0]]), np.array([[6.0], [6.0]]))
    none = welch_df(np.zeros((2, 1)), np.full((2, 1), 6.0))
    assert [equal[0], one[0], none[0]] == pytest.approx([12.0, 6.0, np.inf])


def test_the_error_of_a_median_of_many_normal_rounds() -> None:
    rng = np.random.default_rng(0)
    found = spread_of_rounds(rounds_of(1e-3 * np.exp(rng.normal(0, 0.02, (20, 400)))), relative=False)
    theory = 0.02 * np.sqrt(np.pi / 2 / 400)
    assert found["rounds_se"].mean() == pytest.approx(theory, rel=0.15)
    assert found["rounds_value"].to_numpy() == pytest.approx(np.log(1e-3), abs=5 * theory)


def test_a_round_measured_again_counts_as_measured_last() -> None:
    rounds = rounds_of(np.array([[1.0, 1.0, 1.0, 1.0]]))
    again = pd.concat([rounds.assign(seconds=9.0), rounds], ignore_index=True)
    found = spread_of_rounds(again, relative=False)
    assert found["rounds_count"].tolist() == [4]
    assert found["rounds_value"].tolist() == [0.0]


def test_relative_errors_are_paired_by_round() -> None:
    rng = np.random.default_rng(0)
    common = np.exp(rng.normal(0, 0.5, (1, 50)))
    base = rounds_of(common, "baseline").assign(backend="numpy_ufunc")
    arm = rounds_of(3 * common * np.exp(rng.normal(0, 0.01, (1, 50))))
    found = spread_of_rounds(pd.concat([base, arm], ignore_index=True), relative=True)
    row = found[found["backend"] == "torch_eager"].iloc[0]
    assert row["rounds_value"] == pytest.approx(np.log(3), abs=0.01)
    assert row["rounds_se"] < 0.005


def test_arms_without_spread_or_without_baseline_have_no_error() -> None:
    assert spread_of_rounds(rounds_of(np.array([[1.0]])), relative=False).empty
    assert spread_of_rounds(rounds_of(np.ones((2, 5))), relative=True).empty


def test_scatter_is_what_the_controls_own_errors_do_not_explain() -> None:
    rng = np.random.default_rng(0)

    def controls(drift: float) -> pd.DataFrame:
        d = rng.normal(0, 0.01 * np.sqrt(2), 400) + rng.normal(0, drift, 400) + 0.3
        return pd.DataFrame({"d": d, "se_old": 0.01, "se_new": 0.01})

    assert scatter(controls(0.0)) < 0.006
    assert scatter(controls(0.05)) == pytest.approx(0.05, rel=0.15)
    assert scatter(controls(0.05).head(2)) == 0.0


def test_the_geometric_mean_and_its_interval() -> None:
    rng = np.random.default_rng(0)
    ratios = np.exp(rng.normal(0.1, 0.05, 40))
    found = compare(run(np.ones((40, 9)), "old"), run(np.ones((40, 9)) * ratios[:, None], "new"))
    assert found.mean is not None
    assert found.mean.value == pytest.approx(np.exp(np.log(ratios).mean()))
    width = np.log(found.mean.hi / found.mean.lo)
    assert width == pytest.approx(2 * 2.02 * np.log(ratios).std(ddof=1) / np.sqrt(40), rel=0.02)
    assert found.controls_mean is None
