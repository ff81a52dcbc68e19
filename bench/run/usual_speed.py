"""How fast the CPUs usually are, as all arms have seen it.

Only the coordinator knows it: an arm that only saw a slow CPU would think that speed normal.
"""

from __future__ import annotations

from collections import deque

from bench.machine.cpu_speed import LOOK_EVERY, Readings

__all__ = ["Usual"]

_KEPT = 1000
"""Readings of a CPU that count; they take some seconds, so a machine that stays slow is soon what is usual."""
_USUAL = 0.05
"""What is usual on a CPU is this quantile of them."""


class Usual:
    """What is usual on each CPU, from the readings of all arms; and how far from it the parts of a batch were."""

    def __init__(self) -> None:
        self._readings: dict[int, deque[float]] = {}
        self._own: dict[int, float] = {}

    def times(self, process: int, readings: Readings, parts: int, every: int = LOOK_EVERY) -> list[float]:
        """For each of the `parts` of that process's batch, how many times as long as usual the arithmetic took.

        The slowest reading counts of the two looks that it lies between; there is one after `every` parts.  A process
        whose arithmetic takes longer than others' by nature is compared with its own best.  Without readings: 1.
        """
        if not readings:
            return [1.0] * parts
        for cpu, seconds in (reading for look in readings for reading in look):
            self._readings.setdefault(cpu, deque(maxlen=_KEPT)).append(seconds)
            self._own[process] = min(seconds, self._own.get(process, seconds))
        cpus = {cpu for look in readings for cpu, _ in look}
        usual = {cpu: max(self._usual(cpu), self._own[process]) for cpu in cpus}
        slowest = [max(seconds / usual[cpu] for cpu, seconds in look) for look in readings]
        return [max(slowest[part // every :][:2]) for part in range(parts)]

    def _usual(self, cpu: int) -> float:
        kept = sorted(self._readings[cpu])
        return kept[int(_USUAL * len(kept))]
