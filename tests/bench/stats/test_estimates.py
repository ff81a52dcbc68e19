"""The arithmetic of the verdicts on samples whose answers are known."""

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
    assert estimates.estimate(samples, estimator).value == pytest.approx(answer)


def test_trimmed_mean_drops_a_quarter_at_each_end() -> None:
    samples = np.array([-1e9, -1e9, 1.0, 2.0, 3.0, 6.0, 1e9, 1e9])
    assert estimates.estimate(samples, "trimmed_mean").value == pytest.approx(3.0)


@pytest.mark.parametrize("estimator", sorted(estimates.ESTIMATORS))
def test_estimators_work_along_the_last_axis(estimator: str) -> None:
    samples = np.random.default_rng(1).random((3, 17))
    function = estimates.ESTIMATORS[estimator]
    assert np.allclose(function(samples), [float(function(row)) for row in samples])


def test_equal_samples_have_no_width() -> None:
    interval = estimates.estimate(np.full(20, 3.0))
    assert (interval.lo, interval.value, interval.hi) == (3.0, 3.0, 3.0)
    assert interval.half_width == 0.0


def test_one_sample_says_nothing_of_its_spread() -> None:
    interval = estimates.estimate(np.array([2.0]))
    assert interval.value == 2.0
    assert interval.half_width == math.inf


def test_interval_contains_its_estimate_and_scales_with_the_samples() -> None:
    samples = np.random.default_rng(2).lognormal(0.0, 0.2, 40)
    interval = estimates.estimate(samples)
    assert interval.lo < interval.value < interval.hi
    scaled = estimates.estimate(1e-9 * samples)
    assert (scaled.lo, scaled.value, scaled.hi) == pytest.approx(
        (1e-9 * interval.lo, 1e-9 * interval.value, 1e-9 * interval.hi)
    )


def test_interval_narrows_with_the_root_of_the_rounds() -> None:
    rng = np.random.default_rng(3)
    widths = [
        np.median([estimates.estimate(rng.normal(1.0, 0.1, rounds)).half_width for _ in range(60)])
        for rounds in (25, 400)
    ]
    assert widths[0] / widths[1] == pytest.approx(4.0, rel=0.35)


def test_interval_of_the_median_holds_the_truth_about_as_often_as_it_says() -> None:
    rng = np.random.default_rng(4)
    intervals = [estimates.estimate(rng.lognormal(0.0, 0.3, 30)) for _ in range(400)]
    held = np.mean([interval.lo <= 1.0 <= interval.hi for interval in intervals])
    assert held >= 0.92
    assert np.median([interval.half_width for interval in intervals]) < 0.3


def test_the_same_samples_have_the_same_interval() -> None:
    samples = np.random.default_rng(5).random(30)
    assert estimates.estimate(samples) == estimates.estimate(samples)


def test_half_width_is_the_farther_bound_as_a_fraction() -> None:
    assert Interval(2.0, 1.9, 2.3).half_width == pytest.approx(0.15)
    assert Interval(2.0, 1.5, 2.1).half_width == pytest.approx(0.25)
    assert Interval(0.0, 0.0, 0.0).half_width == math.inf


def test_paired_ratio_cancels_what_slows_whole_rounds() -> None:
    """Rounds that differ by a factor of nine, in which one arm is always 1.25 times as fast."""
    rng = np.random.default_rng(6)
    weather = np.exp(rng.uniform(0, np.log(9), 40))
    base = 5.0 * weather * rng.normal(1, 0.002, 40)
    arm = 4.0 * weather * rng.normal(1, 0.002, 40)
    paired = estimates.ratio(base, arm)
    assert paired.value == pytest.approx(1.25, rel=0.003)
    assert paired.half_width < 0.005
    assert estimates.estimate(base).half_width > 0.2


def test_ratio_of_the_inverse_is_the_inverse() -> None:
    rng = np.random.default_rng(7)
    one, other = rng.lognormal(0, 0.1, 25), rng.lognormal(0.2, 0.1, 25)
    there, back = estimates.ratio(one, other), estimates.ratio(other, one)
    assert back.value == pytest.approx(1 / there.value)
    assert back.lo == pytest.approx(1 / there.hi, rel=0.02)


def test_noise_floor_is_the_twins_farther_bound() -> None:
    assert estimates.noise_floor(Interval(1.0, 0.98, 1.05)) == pytest.approx(0.05)
    assert estimates.noise_floor(Interval(0.99, 0.8, 1.1)) == pytest.approx(0.25)
    assert estimates.noise_floor(Interval(1.0, 1.0, 1.0)) == 0.0


@pytest.mark.parametrize(
    ("speedup", "floor", "verdict"),
    [
        (Interval(1.2, 1.1, 1.3), 0.05, "faster"),
        (Interval(1.2, 0.99, 1.3), 0.05, "tie"),
        (Interval(1.2, 1.02, 1.3), 0.05, "tie"),
        (Interval(1.2, 1.03, 1.3), 0.05, "tie"),
        (Interval(1.2, 1.04, 1.3), 0.05, "faster"),
        (Interval(0.8, 0.7, 0.97), 0.05, "tie"),
        (Interval(0.8, 0.7, 0.96), 0.05, "slower"),
        (Interval(1.04, 1.02, 1.06), 0.05, "tie"),
        (Interval(0.8, 0.7, 0.9), 0.05, "slower"),
        (Interval(0.8, 0.7, 1.01), 0.05, "tie"),
        (Interval(0.97, 0.96, 0.98), 0.05, "tie"),
        (Interval(0.97, 0.96, 0.98), 0.0, "slower"),
        (Interval(1.0, 1.0, 1.0), 0.0, "tie"),
        (Interval(2.0, 1.9, 2.1), math.inf, "tie"),
    ],
)
def test_verdict(speedup: Interval, floor: float, verdict: str) -> None:
    assert estimates.verdict(speedup, floor) == verdict


def test_verdict_does_not_depend_on_which_arm_is_the_baseline() -> None:
    rng = np.random.default_rng(8)
    opposite = {"faster": "slower", "slower": "faster", "tie": "tie"}
    for factor in (0.7, 0.97, 1.0, 1.04, 1.5):
        one = rng.lognormal(0, 0.03, 30)
        other = one / factor * rng.lognormal(0, 0.01, 30)
        there, back = estimates.ratio(one, other), estimates.ratio(other, one)
        assert estimates.verdict(back, 0.03) == opposite[estimates.verdict(there, 0.03)]


def test_identical_arms_are_seldom_called_different() -> None:
    """A/A on synthetic rounds: interval and noise floor together let at most one in twenty through."""
    rng = np.random.default_rng(9)
    different = 0
    for _ in range(300):
        weather = rng.lognormal(0, 0.3, 20)
        base, twin, arm = (weather * rng.lognormal(0, 0.03, 20) for _ in range(3))
        floor = estimates.noise_floor(estimates.ratio(base, twin))
        different += estimates.verdict(estimates.ratio(base, arm), floor) != "tie"
    assert different / 300 <= 0.05


def test_foreign_use_needs_a_share_that_matters() -> None:
    assert not ForeignUse(wall_s=10.0, cpu_s=0.02).contended
    assert not ForeignUse(wall_s=10.0, cpu_s=0.5).contended
    assert ForeignUse(wall_s=1.0, cpu_s=0.5).contended
