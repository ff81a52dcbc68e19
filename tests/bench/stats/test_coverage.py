"""Do 95 % intervals hold the truth as often as they say, under the noise that machines make?

Each test draws 1,000 synthetic experiments and stops each as the harness does, as soon as the interval is
narrow.  Heavy tails, two speeds and drift that both arms share are covered.  What is not: a drift that is
slow against the experiment.  No statistic of one experiment can see it, so the interval of a *time* is about
the minutes in which it was taken; ratios, taken round by round, do not suffer (last test).
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from bench.run.rounds import next_check
from bench.stats import estimates

pytestmark = pytest.mark.slow

EXPERIMENTS = 1000
MOST_ROUNDS = 60
TARGET = 0.01
Noise = Callable[[np.random.Generator, int], np.ndarray]


def heavy(rng: np.random.Generator, rounds: int) -> np.ndarray:
    """Never faster than 1, with a tail that has no variance (|Student t| with 2 degrees of freedom)."""
    return 1 + 0.01 * np.abs(rng.standard_t(2, rounds))


def bimodal(rng: np.random.Generator, rounds: int) -> np.ndarray:
    """Three rounds in ten are half as slow again."""
    return np.where(rng.random(rounds) < 0.3, 1.5, 1.0) * (1 + 0.01 * rng.standard_normal(rounds))


def drift(rng: np.random.Generator, rounds: int, period: float = 60.0) -> np.ndarray:
    """A factor that swings by 30 % within `period` rounds, begun anywhere."""
    return 1 + 0.3 * np.sin(2 * np.pi * (np.arange(rounds) / period + rng.random()))


def _stopped(interval_of: Callable[[int], estimates.Interval], first: int = 8) -> estimates.Interval:
    """The interval at which the harness would have stopped."""
    rounds = first
    interval = interval_of(rounds)
    while interval.half_width > TARGET and rounds < MOST_ROUNDS:
        rounds = min(next_check(rounds), MOST_ROUNDS)
        interval = interval_of(rounds)
    return interval


def _coverage(truth: float, draw: Callable[[], Callable[[int], estimates.Interval]]) -> float:
    held = 0
    for _ in range(EXPERIMENTS):
        interval = _stopped(draw())
        held += interval.lo <= truth <= interval.hi
    return held / EXPERIMENTS


@pytest.mark.parametrize("noise", [heavy, bimodal])
def test_interval_of_a_time_holds_the_median(noise: Noise) -> None:
    rng = np.random.default_rng(1)
    truth = float(np.median(noise(rng, 1_000_000)))

    def draw() -> Callable[[int], estimates.Interval]:
        samples = noise(rng, MOST_ROUNDS)
        return lambda rounds: estimates.estimate(samples[:rounds])

    assert 0.92 <= _coverage(truth, draw) <= 0.98


@pytest.mark.parametrize("noise", [heavy, bimodal])
def test_interval_of_a_ratio_holds_it_while_both_arms_drift(noise: Noise) -> None:
    rng = np.random.default_rng(2)

    def draw() -> Callable[[int], estimates.Interval]:
        shared = drift(rng, MOST_ROUNDS)
        slow, fast = 1.1 * shared * noise(rng, MOST_ROUNDS), shared * noise(rng, MOST_ROUNDS)
        return lambda rounds: estimates.ratio(slow[:rounds], fast[:rounds])

    assert 0.92 <= _coverage(1.1, draw) <= 0.98


def test_interval_of_a_time_does_not_hold_what_a_slow_drift_hid() -> None:
    rng = np.random.default_rng(3)

    def draw() -> Callable[[int], estimates.Interval]:
        samples = drift(rng, MOST_ROUNDS, period=2000.0) * heavy(rng, MOST_ROUNDS)
        return lambda rounds: estimates.estimate(samples[:rounds])

    assert _coverage(1.0, draw) < 0.50
