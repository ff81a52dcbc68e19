"""How much longer a run will take, from the pace that was observed.

What a visit will take is foreseen from the same experiment in the process before; where there was none, from the weight
of the experiment and what the last ones of that process took.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from statistics import fmean

from bench.plan.experiments import Experiment, weight

__all__ = ["START_S", "VISIT_S", "Pace", "Took"]

START_S = 0.5
"""Seconds that starting an arm's process takes, about, before one was seen to start: most of it imports."""
VISIT_S = 0.25
"""Seconds that an arm takes in a visit besides its rounds, about, before one was seen."""
_LAST = 6
"""Visits that a pace rests on: the last ones are like the next ones in size, and of the same hour."""
_FEW = 3
"""Visits until which the budget is believed more than the pace: the first ones warm up caches for the others."""

Visit = tuple[Experiment, int]
"""An experiment, and the number of the process of its arms."""


@dataclass(frozen=True, slots=True)
class Took:
    """Seconds that a visit took, and that it would have taken with the fewest rounds."""

    seconds: float
    least_s: float


class Pace:
    """Foresees the rest of a run that was announced to take `announced_s` from `now` on, all in seconds."""

    def __init__(self, announced_s: float, now: float) -> None:
        self._end, self._since = now + announced_s, now
        self._took: dict[Visit, Took] = {}
        self._starts: list[float] = []

    def started(self, seconds: float, now: float) -> None:
        """Starting the processes of all arms took so many."""
        self._starts.append(seconds)
        self._since = now

    def visited(self, experiment: Experiment, process: int, took: Took, now: float) -> None:
        """A visit has ended."""
        self._took[experiment, process] = took
        self._since = now

    def seconds_left(self, visits: Sequence[Visit], starts: int, budget_s: float | None, now: float) -> float:
        """What these visits will take, the first of which is under way, and so many starts of all processes.

        `budget_s` is what may be spent: rounds become fewer where it would not suffice.
        """
        if not self._took:
            return max(self._end - now, 0.0)
        start_s = fmean(self._starts) if self._starts else 0.0
        ahead = [self._foreseen(visit, lambda took: took.seconds) for visit in visits]
        pace = total = sum(ahead) + starts * start_s
        if budget_s is not None and (total > budget_s or len(self._took) < _FEW):
            least = sum(self._foreseen(visit, lambda took: took.least_s) for visit in visits)
            total = max(budget_s, least + starts * start_s)
        under_way = sum(ahead[:1]) * total / (pace or 1.0)
        return total - min(now - self._since, under_way)

    def _foreseen(self, visit: Visit, part: Callable[[Took], float]) -> float:
        """That part of what it will take."""
        experiment, process = visit
        before = next((p for p in range(process - 1, 0, -1) if (experiment, p) in self._took), None)
        if before is None:
            return weight(experiment) * self._per_weight(process, part)
        return part(self._took[experiment, before]) * self._ratio(process, part)

    def _per_weight(self, process: int, part: Callable[[Took], float]) -> float:
        seen = [visit for visit in self._took if visit[1] == process] or list(self._took)
        weights = sum(weight(experiment) for experiment, _ in seen[-_LAST:])
        return sum(part(self._took[visit]) for visit in seen[-_LAST:]) / weights

    def _ratio(self, process: int, part: Callable[[Took], float]) -> float:
        """How much longer visits in that process take than the same experiments in the one before."""
        seen = [e for e, p in self._took if p == process and (e, p - 1) in self._took][-_LAST:]
        earlier = sum(part(self._took[experiment, process - 1]) for experiment in seen)
        return sum(part(self._took[experiment, process]) for experiment in seen) / earlier if earlier else 1.0
