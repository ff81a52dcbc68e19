"""The middle of samples whose answers are known."""

from __future__ import annotations

import math

import numpy as np
import pytest

from bench.machine.foreign_load import ForeignUse
from bench.stats import estimates
from bench.stats.estimates import Interval


@pytest.mark.parametrize(
    ("estimator", "answer"),
    [("min", 1.0), ("q25", 2.75), ("median", 4.5), ("trimmed_mean", 4.5)],
)
def test_estimators_on_one_to_eight(estimator: str, answer: float) -> None:
    samples = np.random.default_rng(0).permutation(np.arange(1.0, 9.0))
    assert float(estimates.ESTIMATORS[estimator](samples)) == pytest.approx(answer)


def test_trimmed_mean_drops_a_quarter_at_each_end() -> None:
    samples = np.array([-1e9, -1e9, 1.0, 2.0, 3.0, 6.0, 1e9, 1e9])
    assert float(estimates.centre(samples)[0]) == pytest.approx(3.0)


@pytest.mark.parametrize("estimator", sorted(estimates.ESTIMATORS))
def test_estimators_work_along_the_last_axis(estimator: str) -> None:
    samples = np.random.default_rng(1).random((3, 17))
    function = estimates.ESTIMATORS[estimator]
    assert np.allclose(function(samples), [float(function(row)) for row in samples])


def test_equal_samples_have_no_variance() -> None:
    value, variance = estimates.centre(np.full(20, 3.0))
    assert (float(value), float(variance)) == (3.0, 0.0)


def test_one_sample_says_nothing_of_its_spread() -> None:
    value, variance = estimates.centre(np.full((3, 1), 2.0))
    assert value.tolist() == [2.0] * 3
    assert variance.tolist() == [math.inf] * 3


@pytest.mark.parametrize("count", [2, 3, 4, 7, 8, 24])
@pytest.mark.parametrize("tails", [3.0, 100.0])
def test_the_variance_is_that_of_the_estimate(count: int, tails: float) -> None:
    """Under the normal distribution, about, and under heavy tails."""
    samples = np.random.default_rng(3).standard_t(tails, (40_000, count))
    values, variances = estimates.centre(samples)
    assert variances.mean() == pytest.approx(values.var(), rel=0.45 if count < 8 else 0.15)


def test_what_happens_to_a_quarter_of_the_samples_changes_little() -> None:
    samples = np.random.default_rng(4).normal(0.0, 1.0, 40)
    value, variance = estimates.centre(samples)
    samples[np.argsort(samples)[-9:]] = 1e9
    spoilt, its_variance = estimates.centre(samples)
    assert float(spoilt) == pytest.approx(float(value), abs=1e-12)
    assert float(its_variance) == pytest.approx(float(variance), rel=0.2)


def test_half_width_is_the_farther_bound_as_a_fraction() -> None:
    assert Interval(2.0, 1.9, 2.3).half_width == pytest.approx(0.15)
    assert Interval(2.0, 1.5, 2.1).half_width == pytest.approx(0.25)
    assert Interval(0.0, 0.0, 0.0).half_width == math.inf


def test_foreign_use_needs_a_share_that_matters() -> None:
    assert not ForeignUse(wall_s=10.0, cpu_s=0.02).contended
    assert not ForeignUse(wall_s=10.0, cpu_s=0.5).contended
    assert ForeignUse(wall_s=1.0, cpu_s=0.5).contended
