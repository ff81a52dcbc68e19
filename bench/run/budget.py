"""How a run's seconds are shared out among its experiments."""

from __future__ import annotations

from statistics import median

__all__ = ["Budget"]

_LAST = 3
"""Experiments that the estimate of preparing rests on: the last ones are like the next one in size."""


class Budget:
    """Shares `allowed_s` among experiments: preparing, rounds and last looks.  More weight, more time in rounds.

    What preparing will take is estimated from the last experiments, so that later ones do not pay for it.
    """

    def __init__(self, allowed_s: float) -> None:
        self._left_s = allowed_s
        self._beside_per_weight: list[float] = []

    @property
    def left_s(self) -> float:
        """Seconds not yet spent."""
        return max(self._left_s, 0.0)

    def rounds_s(self, weight: float, weights_left: float) -> float:
        """Seconds for the rounds of an experiment of that weight, one of those that weigh `weights_left` together."""
        known = self._beside_per_weight[-_LAST:]
        beside = (
            median(known) if len(known) == _LAST else min(known, default=0.0)
        )  # the first ones import and compile
        return max(self._left_s - beside * weights_left, 0.0) * weight / (weights_left or 1.0)

    def spend(self, weight: float, seconds: float, rounds_s: float) -> None:
        """An experiment took so many seconds, and its rounds so many of them."""
        self._left_s -= seconds
        self._beside_per_weight.append(max(seconds - rounds_s, 0.0) / weight)

    def start_up(self, seconds: float) -> None:
        """Starting processes took so many."""
        self._left_s -= seconds
