"""What a slow CPU costs a batch, learnt from all batches of a run.

A CPU is slow for milliseconds or for minutes, each at its own times.  A serial arm needs one fast CPU and a parallel
one needs all of them, so leaving slow batches out would favour one of the two; and where a machine is slow most of
the time nothing would be left.  Instead, a batch beside which a fixed piece of arithmetic took longer than usual counts
with a time that is shorter by as much as batches of its class are longer then: log t = log(time) - slope * excess.

The reading is that of a round: the mean over its arms of a kind (serial or parallel), which were on the same CPUs.  One
batch has a few short looks, whose noise is larger than what they tell of it; and what all arms of a kind have taken off
alike is no part of their ratios.  The slope is one a class (a kind and a size) and not one an arm: an arm has too few
rounds for it (scripts/simulate.py compares the two).  Below a dead zone the readings' noise is larger than what they
tell.
"""

from __future__ import annotations

import bisect
import math
from array import array
from collections import defaultdict
from collections.abc import Iterable, Sequence

__all__ = ["SlowCpus"]

_USUAL = 0.1
"""What is usual is this quantile of all readings of the run."""
_DEAD_ZONE = math.log(1.1)
"""Readings up to a tenth above the usual are within their own noise."""
_AT_FIRST = 0.5
"""The slope of a class of which nothing is known: between arithmetic (1) and waiting for memory (near 0)."""
_AT_FIRST_WEIGHT = 0.5
"""What that counts for, as a sum of squared excesses: that of some thirty batches on a CPU slower by a quarter."""
_STEEPEST = 1.5
"""More than the arithmetic itself is slowed down, nothing is for long."""
_FARTHEST = 0.7
"""Deviations of log times beyond this are not the CPU's doing."""
_MOST_READINGS = 1 << 14
"""That are kept.  Of more, every second one is, then every fourth: a quantile of thousands is known well enough."""


class SlowCpus:
    """The readings of a run, and the slope of each class of arms."""

    def __init__(self) -> None:
        self._readings = array("d")
        self._seen, self._every = 0, 1
        self._sums: defaultdict[str, list[float]] = defaultdict(lambda: [0.0, 0.0])
        self.learnt = 0
        """How often slopes have changed."""

    def see(self, reading_s: float | None) -> None:
        """A round's reading, in seconds of the arithmetic."""
        if reading_s is None:
            return
        self._seen += 1
        if self._seen % self._every:
            return
        bisect.insort(self._readings, reading_s)
        if len(self._readings) > _MOST_READINGS:
            self._readings, self._every = self._readings[::2], 2 * self._every

    @property
    def usual_s(self) -> float:
        """The reading that is usual; inf as long as there is none, so that none is in excess of it."""
        return self._readings[int(_USUAL * len(self._readings))] if self._readings else math.inf

    def excess(self, reading_s: float | None) -> float:
        """How much slower than usual the CPUs were, as a log, beyond the dead zone; 0 without a reading."""
        if reading_s is None or not self._readings:
            return 0.0
        return max(math.log(reading_s / self.usual_s) - _DEAD_ZONE, 0.0)

    def times_without(self, of: str, batches: Iterable[tuple[float, float | None]]) -> list[float]:
        """The times of batches of class `of`, given with their readings, less what slow CPUs explain of them."""
        slope, free_s = self.slope(of), self.usual_s * math.exp(_DEAD_ZONE)
        return [
            time
            if reading_s is None or reading_s <= free_s
            else time * math.exp(-slope * self.excess(reading_s))
            for time, reading_s in batches
        ]

    def learn(self, of: str, batches: Sequence[tuple[float, float]]) -> None:
        """From the log times and excesses of batches of one arm of class `of` in one process."""
        if len(batches) < 2:
            return
        self.learnt += 1
        mean_time, mean_excess = (sum(column) / len(batches) for column in zip(*batches, strict=True))
        sums = self._sums[of]
        for log_time, excess in batches:
            away = excess - mean_excess
            sums[0] += away**2
            sums[1] += away * min(max(log_time - mean_time, -_FARTHEST), _FARTHEST)

    def slope(self, of: str) -> float:
        """By how much a log time of class `of` grows with the excess."""
        squares, products = self._sums[of]
        found = (products + _AT_FIRST * _AT_FIRST_WEIGHT) / (squares + _AT_FIRST_WEIGHT)
        return min(max(found, 0.0), _STEEPEST)
