"""`bench.stats.arm_estimates`: the errors that rounds give."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from bench.stats.arm_estimates import spread_of_rounds
from tests.sides import run_of_rounds


def rounds_of(seconds: np.ndarray, role: str = "candidate") -> pd.DataFrame:
    rounds = run_of_rounds(seconds, "r", role).rounds
    assert rounds is not None
    return rounds


def test_the_error_of_a_median_of_many_normal_rounds() -> None:
    rng = np.random.default_rng(0)
    found = spread_of_rounds(rounds_of(1e-3 * np.exp(rng.normal(0, 0.02, (20, 400)))), relative=False)
    theory = 0.02 * np.sqrt(np.pi / 2 / 400)
    assert found["rounds_se"].mean() == pytest.approx(theory, rel=0.15)
    assert found["rounds_value"].to_numpy() == pytest.approx(np.log(1e-3), abs=5 * theory)


def test_each_process_counts_alike_however_many_rounds_it_has() -> None:
    rng = np.random.default_rng(0)
    first, second = (
        scale * np.exp(rng.normal(0, 0.01, (20, count))) for scale, count in ((1.0, 400), (1.21, 40))
    )
    both = pd.concat([rounds_of(first), rounds_of(second).assign(process=2)], ignore_index=True)
    found = spread_of_rounds(both, relative=False)
    assert np.exp(found["rounds_value"]).to_numpy() == pytest.approx(1.1, rel=0.005)
    assert found["rounds_se"].mean() == pytest.approx(
        0.01 * np.sqrt(np.pi / 2 * (1 / 400 + 1 / 40)) / 2, rel=0.15
    )
    assert set(found["rounds_count"]) == {440}


def test_of_a_round_of_a_process_the_last_row_counts() -> None:
    rounds = rounds_of(np.array([[1.0, 1.0, 1.0, 1.0]]))
    again = pd.concat([rounds.assign(seconds=9.0), rounds], ignore_index=True)
    found = spread_of_rounds(again, relative=False)
    assert found["rounds_count"].tolist() == [4]
    assert found["rounds_value"].tolist() == [0.0]


def test_relative_errors_are_paired_by_process_and_round() -> None:
    rng = np.random.default_rng(0)
    common = np.exp(rng.normal(0, 0.5, (2, 1, 50)))
    frames = []
    for process, shared in enumerate(common, 1):
        base = rounds_of(shared, "baseline").assign(backend="numpy_ufunc")
        arm = rounds_of(3 * shared * np.exp(rng.normal(0, 0.01, (1, 50))))
        frames += [base.assign(process=process), arm.assign(process=process)]
    found = spread_of_rounds(pd.concat(frames, ignore_index=True), relative=True)
    row = found[found["backend"] == "torch_eager"].iloc[0]
    assert row["rounds_value"] == pytest.approx(np.log(3), abs=0.01)
    assert row["rounds_se"] < 0.005


def test_arms_without_spread_or_without_baseline_have_no_error() -> None:
    assert spread_of_rounds(rounds_of(np.array([[1.0]])), relative=False).empty
    assert spread_of_rounds(rounds_of(np.ones((2, 5))), relative=True).empty
