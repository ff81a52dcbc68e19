"""What the visits to come will take, from those that were made.

A visit is foreseen part by part.  Where the same experiment was visited in a process before, it is expected to take
that again for each of its arms, as much longer or shorter as the others of this pass do; else it takes what those of
its sort and of a like weight took, most of all the last ones (`bench.run.rates`).  Compiling has a pace of its own
(`bench.run.compile_pace`): only first processes do it.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from operator import attrgetter
from statistics import fmean

from bench.plan.cold_caches import NOTHING, Compiling
from bench.plan.experiments import Experiment, weight
from bench.run.compile_pace import CompilePace
from bench.run.rates import Seen, mean_of_at_most, rates
from bench.run.visit_sizes import Rates, Size, by_weight, in_rounds, preparing, sort_of
from kernels.api import Case

__all__ = ["Pace", "Took", "Visit"]

_OTHER_SIZE = 2.0
"""A visit of e times the weight counts e**-2 as much for what a weight takes: there are many of each size."""
_FADES = 0.9
"""Each visit counts so much of the one that follows it: the machine was another then."""
_OTHER_PASS = 0.1
"""Visits in processes of another number count so much of those of the same: evidence is new in the first."""
_FIRST = 0.02
"""The first visit in new processes counts so much for what others take beside rounds: it pays for what is done once."""
_OTHER_END = 0.25
"""The same for experiments of which one, in the process before, had more to find out than it had time for."""
_OWN = 3.0
"""What the same experiment needed in the process before counts for its rounds, beside the others."""
_LAST = 40
"""Visits of a sort that are looked at: of older ones, next to nothing counts."""

Visit = tuple[Experiment, int]
"""An experiment, and the number of the process of its arms."""


@dataclass(frozen=True, slots=True)
class Took:
    """What a visit took, in seconds: its rounds, the fewest of them, and all that was not rounds."""

    rounds_s: float
    least_s: float
    beside_s: float
    """Preparing, probing, last looks."""
    compile_s: float = 0.0
    """Compiling, and starting arms anew that had."""
    limited: bool = False
    """Whether the rounds ended because their time was up."""


Part = Callable[[Took], float]
_Size = Callable[[Experiment, int], Size]
_Kind = tuple[float, int, str]
"""What visits are like each other by: weight, process and sort."""
_BESIDE, _LEAST, _ROUNDS = attrgetter("beside_s"), attrgetter("least_s"), attrgetter("rounds_s")


@dataclass(frozen=True, slots=True)
class _Made:
    """A visit that was made."""

    experiment: Experiment
    weight: float
    process: int
    took: Took
    before: _Before | None
    """What the same experiment took in the process before."""
    first: bool
    """In its processes."""

    def counts_in(self, process: int) -> float:
        """For visits in processes of that number, by that alone."""
        return 1.0 if self.process == process else _OTHER_PASS

    def tells(self, part: Part) -> float:
        """How much that part of it tells of later visits."""
        return _FIRST if self.first and part is _BESIDE else 1.0


@dataclass(frozen=True, slots=True)
class _Before:
    """A visit of the same experiment in an earlier process."""

    process: int
    took: Took


class Pace:
    """Foresees visits.

    Before any was seen, starting all processes takes `start_up_s`, and compiling what is foreseen of it.
    """

    def __init__(self, start_up_s: float = 0.0, compiling: Compiling = NOTHING) -> None:
        self.starting_s = start_up_s
        """What the next start of all processes will take."""
        self._compiling = CompilePace(compiling)
        self._took: dict[tuple[Case, int], Took] = {}
        self._made: list[_Made] = []
        self._alikes: dict[_Kind, list[tuple[_Made, float]]] = {}
        self._ratios: dict[tuple[int, Part], float] = {}
        self._rates: dict[tuple[_Kind, Part], Rates] = {}
        self._rounds: dict[tuple[_Kind, float], float] = {}
        """All as they stand since the last visit: a long run asks for thousands that are to come."""

    @property
    def known(self) -> bool:
        """Whether there is anything to go by."""
        return bool(self._made)

    def started(self, seconds: float) -> None:
        """Starting the processes of all arms took so many."""
        self.starting_s = seconds

    def visited(self, visit: Visit, took: Took) -> None:
        """A visit has ended."""
        experiment, process = visit
        self._alikes, self._ratios, self._rates, self._rounds = {}, {}, {}, {}
        first = not self._made or self._made[-1].process != process
        self._made.append(_Made(experiment, weight(*visit), process, took, self._before(visit), first))
        self._took[experiment.case, process] = took
        if process == 1:
            self._compiling.visited(experiment.case, took.compile_s)

    def compile_s(self, visit: Visit) -> float:
        """Of the visit."""
        return self._compiling.seconds(visit[0].case) if visit[1] == 1 else 0.0

    def beside_s(self, visit: Visit) -> float:
        """Of the visit, without compiling."""
        return self._foreseen(visit, _BESIDE, preparing)

    def at_least_s(self, visit: Visit) -> float:
        """Of the visit, if it is made: what most of the last ones took that had no more to do, in the fewest rounds."""
        mine, sort = weight(*visit), sort_of(visit[0])
        seen = sorted(
            made.took.beside_s + made.took.least_s
            for made in self._last_of(sort)
            if made.weight <= mine and sort_of(made.experiment) == sort
        )
        return seen[len(seen) // 4] if seen else 0.0

    def least_s(self, visit: Visit) -> float:
        """What its fewest rounds will take."""
        return self._foreseen(visit, _LEAST, in_rounds)

    def rounds_s(self, visit: Visit, most_s: float) -> float:
        """What its rounds will take if they may take `most_s`: the mean over what others would have taken.

        Those whose time was up show only that it is longer (a survival curve, as Kaplan and Meier draw it).
        """
        before = self._before(visit)
        if before is not None:
            return self._rounds_s(visit, most_s, before)
        key = _kind(visit), most_s
        if key not in self._rounds:
            self._rounds[key] = self._rounds_s(visit, most_s, None)
        return self._rounds[key]

    def _rounds_s(self, visit: Visit, most_s: float, before: _Before | None) -> float:
        mine, seen = weight(*visit), []
        for made, alike in self._alike(visit):
            counts = alike * made.counts_in(visit[1])
            same_end = before is None or (
                made.before is not None and made.before.took.limited is before.took.limited
            )
            seen.append(
                (
                    made.took.rounds_s * mine / made.weight,
                    made.took.limited,
                    counts if same_end else counts * _OTHER_END,
                )
            )
        if before is not None:
            seen.append((_for_as_many(visit, before, _ROUNDS, by_weight), before.took.limited, _OWN))
        return mean_of_at_most(most_s, seen)

    def _foreseen(self, visit: Visit, part: Part, size: _Size) -> float:
        """That part of what it will take; where it is the first, as its size is to those of the others."""
        before = self._before(visit)
        if before is not None:
            if (visit[1], part) not in self._ratios:
                self._ratios[visit[1], part] = self._ratio(visit[1], part, size)
            return _for_as_many(visit, before, part, size) * self._ratios[visit[1], part]
        key, mine = (_kind(visit), part), size(*visit)
        if key not in self._rates:
            self._rates[key] = rates(list(self._seen(visit, part, size)), mine.usual)
        return mine.at(self._rates[key])

    def _seen(self, visit: Visit, part: Part, size: _Size) -> Iterator[Seen]:
        """That part of the last visits: an arm of a network has the same done to it in all processes."""
        for made, alike in self._alike(visit):
            its = size(made.experiment, made.process)
            counts = alike * made.tells(part) * (1.0 if its.usual else made.counts_in(visit[1]))
            yield counts, its, part(made.took)

    def _alike(self, visit: Visit) -> list[tuple[_Made, float]]:
        """The last visits, with what each counts for one of that weight and sort."""
        mine, _, sort = key = _kind(visit)
        if key not in self._alikes:
            self._alikes[key] = [
                (made, _FADES**age * math.exp(-_OTHER_SIZE * abs(math.log(mine / made.weight))))
                for age, made in enumerate(reversed(self._last_of(sort)))
            ]
        return self._alikes[key]

    def _last_of(self, sort: str) -> list[_Made]:
        """The last visits of that sort, which others tell next to nothing of; of all, before there was one."""
        mine = [made for made in self._made if sort_of(made.experiment) == sort]
        return (mine or self._made)[-_LAST:]

    def _before(self, visit: Visit) -> _Before | None:
        """The last visit of the same experiment, if there was one."""
        experiment, process = visit
        earlier = (number for number in range(process - 1, 0, -1) if (experiment.case, number) in self._took)
        return next((_Before(number, self._took[experiment.case, number]) for number in earlier), None)

    def _ratio(self, process: int, part: Part, size: _Size) -> float:
        """How much longer visits in that process take than the same experiments in the one before, for each arm.

        One more visit counts that took the same: of few, one would decide.
        """
        last = self._made[-_LAST:]
        now = earlier = fmean(part(made.took) for made in last)
        for age, made in enumerate(reversed(last)):
            if made.process == process and made.before is not None:
                counts, visit = _FADES**age * made.tells(part), (made.experiment, process)
                now += counts * part(made.took)
                earlier += counts * _for_as_many(visit, made.before, part, size)
        return now / earlier if earlier else 1.0


def _kind(visit: Visit) -> _Kind:
    experiment, process = visit
    return weight(*visit), process, sort_of(experiment)


def _for_as_many(visit: Visit, before: _Before, part: Part, size: _Size) -> float:
    """That part of what the visit before took, as it would be for the arms of this one."""
    return part(before.took) * size(*visit).units / size(visit[0], before.process).units
