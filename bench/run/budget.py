"""How a run's seconds are shared out among its experiments."""

from __future__ import annotations

from statistics import median

__all__ = ["Budget"]

_WORTH = 1.5
"""Experiments are measured again if there is time for so many times what they take besides rounds: some of it is left
for rounds then."""

_LAST = 3
"""Experiments that the estimate of preparing rests on: the last ones are like the next one in size."""


class Budget:
    """Shares `allowed_s` among experiments: preparing, rounds and last looks.  More weight, more time in rounds.

    What preparing will take is estimated from the last experiments, so that later ones do not pay for it.  Processes
    are started `starts` times, which takes about `start_up_s`, and later as long as it took the last time.
    """

    def __init__(self, allowed_s: float, start_up_s: float = 0.0, starts: int = 0) -> None:
        self._left_s, self._start_up_s, self._starts = allowed_s, start_up_s, starts
        self._beside_per_weight: list[float] = []
        self._beside_s = self._weights = 0.0

    @property
    def left_s(self) -> float:
        """Seconds not yet spent."""
        return max(self._left_s, 0.0)

    @property
    def _measuring_s(self) -> float:
        return self._left_s - self._starts * self._start_up_s

    def rounds_s(self, weight: float, weights_left: float) -> float:
        """Seconds for the rounds of an experiment of that weight, one of those that weigh `weights_left` together."""
        return max(self.share_s(weight, weights_left) - self._beside * weight, 0.0)

    def share_s(self, weight: float, weights_left: float) -> float:
        """Seconds for all of such an experiment."""
        return max(self._measuring_s, 0.0) * weight / (weights_left or 1.0)

    @property
    def _beside(self) -> float:
        """Seconds besides rounds that a weight of 1 takes; 0 before it is known: the first ones fill caches."""
        known = self._beside_per_weight[-_LAST:]
        return min(median(known), self._usually) if len(known) == _LAST else 0.0

    @property
    def _usually(self) -> float:
        """The same, of all that were measured: the last ones may have been unlike the next."""
        return self._beside_s / self._weights if self._weights else 0.0

    def has_time(self, weights: float) -> bool:
        """Whether experiments that weigh so much can be measured in processes that are started for them."""
        return self._left_s > self._start_up_s + _WORTH * self._usually * weights

    def spend(self, weight: float, seconds: float, rounds_s: float) -> None:
        """An experiment took so many seconds, and its rounds so many of them."""
        self._left_s -= seconds
        beside_s = max(seconds - rounds_s, 0.0)
        self._beside_per_weight.append(beside_s / weight)
        self._beside_s, self._weights = self._beside_s + beside_s, self._weights + weight

    def start_up(self, seconds: float) -> None:
        """Starting all processes took so many."""
        self._left_s -= seconds
        self._start_up_s, self._starts = seconds, max(self._starts - 1, 0)

    def renounce(self, starts: int) -> None:
        """So many starts are not made."""
        self._starts = max(self._starts - starts, 0)
