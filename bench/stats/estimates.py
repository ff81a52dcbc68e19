"""The arithmetic of the verdicts; pure functions of arrays, tested on samples with known answers.

Ratios are paired round by round.  Intervals are bootstrap percentile intervals of the estimator
(Efron & Tibshirani, An Introduction to the Bootstrap, 1993, ch. 13).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

__all__ = ["ESTIMATORS", "HEADLINE", "Interval", "estimate", "noise_floor", "ratio", "verdict"]

Samples = npt.NDArray[np.float64]
Estimator = Callable[[Samples], Samples]

_RESAMPLES = 999
"""Of a bootstrap: about what the ends of a 95 % interval take."""
_TAILS = (0.0125, 0.9875)
"""Percentiles of the 95 % interval.  They are farther out than 2.5 %, as an experiment stops when its intervals
are narrow, and so sooner when they are narrow by chance (tests/bench/stats/test_coverage.py)."""
_CLEARED = 0.7
"""The share of the noise floor, on the log scale, that the interval of a difference has to leave behind."""


def _trimmed_mean(samples: Samples) -> Samples:
    """Mean without the lowest and the highest quarter, along the last axis."""
    cut = samples.shape[-1] // 4
    return np.asarray(np.sort(samples, axis=-1)[..., cut : samples.shape[-1] - cut].mean(axis=-1))


ESTIMATORS: Mapping[str, Estimator] = {
    "min": lambda samples: np.asarray(samples.min(axis=-1)),
    "q25": lambda samples: np.asarray(np.quantile(samples, 0.25, axis=-1)),
    "median": lambda samples: np.asarray(np.median(samples, axis=-1)),
    "trimmed_mean": _trimmed_mean,
}
HEADLINE = "median"
"""The estimator of `time_s` and of speed-ups (scripts/estimators.py compares them)."""


@dataclass(frozen=True, slots=True)
class Interval:
    """An estimate and its 95 % interval."""

    value: float
    lo: float
    hi: float

    @property
    def half_width(self) -> float:
        """The larger distance to a bound, as a fraction of the estimate."""
        return max(self.hi - self.value, self.value - self.lo) / abs(self.value) if self.value else math.inf


def estimate(samples: Samples, estimator: str = HEADLINE, *, seed: int = 0) -> Interval:
    """The estimator of `samples` (1-D, at least one) with its bootstrap interval.

    One sample has an interval without bounds: nothing is known of its spread.
    """
    function = ESTIMATORS[estimator]
    value = float(function(samples))
    if samples.size < 2:
        return Interval(value, -math.inf, math.inf)
    rng = np.random.default_rng(seed)
    drawn = samples[rng.integers(0, samples.size, (_RESAMPLES, samples.size))]
    lo, hi = np.quantile(function(drawn), _TAILS)
    return Interval(value, min(float(lo), value), max(float(hi), value))


def ratio(numerator: Samples, denominator: Samples, estimator: str = HEADLINE, *, seed: int = 0) -> Interval:
    """numerator / denominator, paired round by round, with its interval; on the log scale inside."""
    logs = estimate(np.log(numerator) - np.log(denominator), estimator, seed=seed)
    return Interval(math.exp(logs.value), math.exp(logs.lo), math.exp(logs.hi))


def noise_floor(twin: Interval) -> float:
    """The largest difference that two identical arms may have shown, as a fraction.

    `twin` is the ratio of the baseline to its twin; its farther bound counts.
    """
    return math.expm1(max(abs(math.log(twin.lo)) if twin.lo > 0 else math.inf, abs(math.log(twin.hi))))


def verdict(speedup: Interval, floor: float) -> str:
    """`faster` or `slower` if the estimate leaves the noise floor and its interval most of it, else `tie`.

    How often identical arms are called different is what scripts/trust.py measures.
    """
    far, most = 1.0 + floor, (1.0 + floor) ** _CLEARED
    if speedup.lo > most and speedup.value > far:
        return "faster"
    if speedup.hi < 1.0 / most and speedup.value < 1.0 / far:
        return "slower"
    return "tie"
