"""`bench.stats.drift`: what all arms of a case, and the copies, tell of the machine."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from bench.stats.drift import beyond_shared, scatter, shared


def test_scatter_is_what_the_controls_own_errors_do_not_explain() -> None:
    rng = np.random.default_rng(0)

    def controls(drift: float) -> pd.DataFrame:
        d = rng.normal(0, 0.01 * np.sqrt(2), 400) + rng.normal(0, drift, 400) + 0.3
        return pd.DataFrame({"d": d, "se_old": 0.01, "se_new": 0.01})

    assert scatter(controls(0.0)) < 0.006
    assert scatter(controls(0.05)) == pytest.approx(0.05, rel=0.15)
    assert scatter(controls(0.05).head(2)) == 0.0


CASES, ARMS = 30, 8
"""Of each case's arms the last three are copies."""


def arms_of(d: np.ndarray, alike: np.ndarray | int = 0) -> pd.DataFrame:
    """Arms whose logs differ by `d`, cases by arms, with errors of 2 %."""
    case, number = (each.ravel() for each in np.indices(d.shape))
    return pd.DataFrame(
        {"case": case, "alike": alike, "d": d.ravel(), "variance": 0.02**2, "copy": number >= d.shape[1] - 3}
    )


def noise(seed: int, arms: int = ARMS) -> np.ndarray:
    return np.random.default_rng(seed).normal(0, 0.02, (CASES, arms))


def test_what_all_arms_of_a_case_share_is_the_machines() -> None:
    moved = np.random.default_rng(1).normal(0.1, 0.1, CASES)
    d = noise(2) + moved[:, None]
    d[:, 0] += 0.5  # one arm's code
    found = shared(arms_of(d))
    assert found is not None
    assert found["shift"].to_numpy() == pytest.approx(moved, abs=0.04)
    assert (found["shift_se"] == 0).all()


def test_what_most_arms_show_and_copies_do_not_is_the_codes() -> None:
    d = noise(3)
    d[:, :5] += 0.1
    assert shared(arms_of(d)) is None
    d[:, 5:] += 0.1
    assert shared(arms_of(d)) is not None


def test_a_case_of_few_arms_is_known_as_well_as_cases_are_alike() -> None:
    moved = np.random.default_rng(4).normal(0.2, 0.1, CASES)
    arms = arms_of(noise(5) + moved[:, None])
    found = shared(arms[(arms["case"] > 0) | (arms.index < 2)])
    assert found is not None
    assert found["shift"][0] == pytest.approx(np.median(moved), abs=0.02)
    assert found["shift_se"][0] == pytest.approx(0.1, rel=0.4)
    assert shared(arms_of(noise(5, 4))) is None


def test_arms_of_a_kind_that_move_beside_the_others_are_known_less_well() -> None:
    d = noise(6)
    d[:, :2] += 0.2 * np.random.default_rng(7).choice(
        [-1, 1], (CASES, 1)
    )  # two serial arms, in slow hours and others
    arms = arms_of(d, np.tile([1, 1, 0, 0, 0, 0, 0, 0], CASES))
    found = shared(arms)
    assert found is not None
    drift = beyond_shared(arms, found, 3)
    assert np.sqrt(2 * drift.variance) == pytest.approx([0.0, 0.3, 0.0], abs=0.05)
    assert drift.df[1] > 4
