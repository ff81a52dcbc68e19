"""How a run's seconds are shared out among its visits, and what is left of them.

What is left, less what starting, compiling and preparing will take, is for rounds: for the fewest of each visit first,
which large networks need long for, and of the rest more for more weight.  The share of a visit and the time left come
from the same look ahead, so they cannot contradict each other.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from operator import attrgetter, itemgetter

from bench.plan.experiments import weight
from bench.run.time_left import Pace, Visit

__all__ = ["Budget", "Share"]

_WORTH = 1.5
"""An experiment is measured again if there is time for so many times what it takes besides rounds: some of it is left
for rounds then."""
_STARTS = 2.0
"""Processes are started anew if there is so many times as much time as that takes."""


@dataclass(frozen=True, slots=True)
class Share:
    """What a visit may have, and what it is expected to take, in seconds."""

    rounds_s: float
    """For its rounds."""
    expected_s: float
    """All that it will take: with starting its processes, if it is the first in them, compiling and preparing."""


@dataclass(frozen=True, slots=True)
class _Pass:
    """Visits in processes of the same number, and what each takes besides rounds, the first with starting them."""

    visits: Sequence[Visit]
    fixed: Sequence[float]
    least: Sequence[float]
    """What the fewest rounds of each take."""
    weights: Sequence[float]
    begins: bool
    """Whether processes are started for it."""


class Budget:
    """Shares `allowed_s` out; `most_s` is what the rounds of one visit may take at most."""

    def __init__(self, allowed_s: float, pace: Pace, most_s: float = math.inf) -> None:
        self._left_s, self._pace, self._most_s = allowed_s, pace, most_s

    @property
    def left_s(self) -> float:
        """Seconds not yet spent."""
        return max(self._left_s, 0.0)

    def spend(self, seconds: float) -> None:
        """So many are gone."""
        self._left_s -= seconds

    def affordable(self, visits: Iterable[Visit]) -> Sequence[Visit]:
        """Those of these visits for which there is time, in processes that are started for them."""
        return self._affordable(self._left_s, visits)

    def _affordable(self, left_s: float, visits: Iterable[Visit]) -> Sequence[Visit]:
        found: list[Visit] = []
        if left_s <= self._least_s:
            return found
        left_s -= self._pace.starting_s
        for visit in visits:
            beside_s = self._beside_s(visit)
            needed_s = max(_WORTH * beside_s, beside_s + self._pace.least_s(visit))
            if needed_s <= left_s:
                left_s -= needed_s
                found.append(visit)
        return found

    def shares(self, visits: Iterable[Visit], process: int) -> Iterator[Share]:
        """Of each visit, in their order, the first of which comes next; processes of that number are there.

        Those for which there will be no time are left out.
        """
        passes, left_s = self._planned(list(self._passes(visits, process))), self._left_s
        for place, planned in enumerate(passes):
            now, later = planned, passes[place + 1 :]
            if now.begins and now.visits[0][1] > 1:
                now = self._pass(self._affordable(left_s, now.visits), begins=True)
            for share in self._shared(now, left_s, later):
                left_s -= share.expected_s
                yield share

    def _passes(self, visits: Iterable[Visit], process: int) -> Iterator[_Pass]:
        for number, group in itertools.groupby(visits, key=itemgetter(1)):
            yield self._pass(list(group), begins=number != process)
            process = number

    def _planned(self, passes: list[_Pass]) -> Sequence[_Pass]:
        """Without those at the end for which too little would be left: the others have that time."""
        while len(passes) > 1 and passes[-1].begins and self._left_for_last_s(passes) <= self._least_s:
            passes.pop()
        return passes

    @property
    def _least_s(self) -> float:
        """To start processes anew."""
        return _STARTS * self._pace.starting_s

    def _left_for_last_s(self, passes: Sequence[_Pass]) -> float:
        last = passes[-1]
        fixed_s = sum(sum(each.fixed) for each in passes)
        weights = sum(sum(each.weights) for each in passes)
        return sum(last.fixed) + max(self._left_s - fixed_s, 0.0) * sum(last.weights) / weights

    def _pass(self, visits: Sequence[Visit], *, begins: bool) -> _Pass:
        fixed = list(map(self._beside_s, visits))
        if begins and fixed:
            fixed[0] += self._pace.starting_s
        least = list(map(self._pace.least_s, visits))
        return _Pass(visits, fixed, least, [weight(*visit) for visit in visits], begins)

    def _beside_s(self, visit: Visit) -> float:
        return self._pace.beside_s(visit) + self._pace.compile_s(visit)

    def _shared(self, now: _Pass, left_s: float, later: Sequence[_Pass]) -> Iterator[Share]:
        """Of one pass, others being still to come."""
        fixed_s, least_s, weights = (
            sum(sum(part(each)) for each in (now, *later))
            for part in (attrgetter("fixed"), attrgetter("least"), attrgetter("weights"))
        )
        for visit, mine_s, needs_s, mine in zip(now.visits, now.fixed, now.least, now.weights, strict=True):
            spare_s = max(left_s - fixed_s, 0.0)
            if spare_s >= least_s:
                rounds_s = needs_s + (spare_s - least_s) * mine / weights
            else:
                rounds_s = spare_s * needs_s / least_s
            rounds_s = min(rounds_s, self._most_s)
            share = Share(rounds_s, mine_s + max(self._pace.rounds_s(visit, rounds_s), needs_s))
            left_s, fixed_s = left_s - share.expected_s, fixed_s - mine_s
            least_s, weights = least_s - needs_s, weights - mine
            yield share
