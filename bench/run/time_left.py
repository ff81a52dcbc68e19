"""How much longer a run will take, from the pace that was observed.

What a visit will take is foreseen from the same experiment in the process before; where there was none, from the weight
of the experiment and what the last ones of that process took.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from statistics import fmean

from bench.plan.experiments import Experiment, weight

__all__ = ["Pace", "Took"]

_LAST = 6
"""Visits that a pace rests on: the last ones are like the next ones in size, and of the same hour."""

Visit = tuple[Experiment, int]
"""An experiment, and the number of the process of its arms."""


@dataclass(frozen=True, slots=True)
class Took:
    """What a visit took, in seconds: its rounds, the fewest of them, and all that was not rounds."""

    rounds_s: float
    least_s: float
    beside_s: float
    limited: bool = False
    """Whether the rounds ended because their time was up."""


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

        `budget_s` is what may be spent, shared out by weight; None: each visit has as long as those before.
        """
        if not self._took:
            return max(self._end - now, 0.0)
        starting_s = starts * fmean(self._starts) if self._starts else 0.0
        ahead = list(self._ahead(visits, None if budget_s is None else budget_s - starting_s))
        return starting_s + sum(ahead) - min(now - self._since, sum(ahead[:1]))

    def _ahead(self, visits: Sequence[Visit], left_s: float | None) -> Iterator[float]:
        """Seconds of each visit, in their order."""
        weights = sum(weight(experiment) for experiment, _ in visits)
        besides = [self._foreseen(visit, lambda took: took.beside_s) for visit in visits]
        beside_s = sum(besides)
        for visit, beside in zip(visits, besides, strict=True):
            mine = weight(visit[0])
            rounds_s = self._foreseen(visit, lambda took: took.rounds_s)
            if left_s is not None:
                share_s = max(left_s - beside_s, 0.0) * mine / weights
                limited = self._limited(visit)
                rounds_s = limited * share_s + (1 - limited) * min(rounds_s, share_s)
                rounds_s = max(rounds_s, self._foreseen(visit, lambda took: took.least_s))
                left_s -= rounds_s + beside
            weights, beside_s = weights - mine, beside_s - beside
            yield rounds_s + beside

    def _limited(self, visit: Visit) -> float:
        """How likely the visit is to take whatever it may."""
        before = self._before(visit)
        seen = [self._took[before]] if before is not None else list(self._took.values())[-_LAST:]
        return fmean(took.limited for took in seen)

    def _before(self, visit: Visit) -> Visit | None:
        """The last visit of the same experiment, if there was one."""
        experiment, process = visit
        earlier = ((experiment, p) for p in range(process - 1, 0, -1))
        return next((each for each in earlier if each in self._took), None)

    def _foreseen(self, visit: Visit, part: Callable[[Took], float]) -> float:
        """That part of what it will take."""
        before = self._before(visit)
        if before is None:
            return weight(visit[0]) * self._per_weight(visit[1], part)
        return part(self._took[before]) * self._ratio(visit[1], part)

    def _per_weight(self, process: int, part: Callable[[Took], float]) -> float:
        seen = [visit for visit in self._took if visit[1] == process] or list(self._took)
        weights = sum(weight(experiment) for experiment, _ in seen[-_LAST:])
        return sum(part(self._took[visit]) for visit in seen[-_LAST:]) / weights

    def _ratio(self, process: int, part: Callable[[Took], float]) -> float:
        """How much longer visits in that process take than the same experiments in the one before."""
        seen = [e for e, p in self._took if p == process and (e, p - 1) in self._took][-_LAST:]
        earlier = sum(part(self._took[experiment, process - 1]) for experiment in seen)
        return sum(part(self._took[experiment, process]) for experiment in seen) / earlier if earlier else 1.0
