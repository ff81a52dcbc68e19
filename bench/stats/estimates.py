"""The middle of samples: the suite's estimator, with its variance, and others to compare it with."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

__all__ = ["ESTIMATORS", "HEADLINE", "Interval", "centre"]

Samples = npt.NDArray[np.float64]
Estimator = Callable[[Samples], Samples]

_CUT = 0.25
"""The share of the samples that is left out at each end: the middle half remains, whatever happens to the others."""


def centre(samples: Samples) -> tuple[Samples, Samples]:
    """The trimmed mean along the last axis and its variance (Yuen, Biometrika 61, 1974); of one sample inf.

    The variance is that of the samples with the outer ones drawn in to the last that are kept.
    """
    ordered = np.sort(samples, axis=-1)
    count = ordered.shape[-1]
    cut = int(_CUT * count)
    kept = count - 2 * cut
    value = np.asarray(ordered[..., cut : count - cut].mean(axis=-1))
    if kept < 2:
        return value, np.full(value.shape, math.inf)
    drawn_in = np.clip(ordered, ordered[..., cut : cut + 1], ordered[..., count - cut - 1 : count - cut])
    return value, np.asarray(drawn_in.var(axis=-1, ddof=1) * (count - 1) / (kept * (kept - 1)))


ESTIMATORS: Mapping[str, Estimator] = {
    "min": lambda samples: np.asarray(samples.min(axis=-1)),
    "q25": lambda samples: np.asarray(np.quantile(samples, 0.25, axis=-1)),
    "median": lambda samples: np.asarray(np.median(samples, axis=-1)),
    "trimmed_mean": lambda samples: centre(samples)[0],
}
HEADLINE = "trimmed_mean"
"""The estimator of `time_s` and of speed-ups, of logs (scripts/estimators.py compares them)."""


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
