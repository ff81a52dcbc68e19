"""Since when an arm is slower or faster: the runs of one machine in their order, cut where two sides differ.

A cut is a comparison of the runs before it with those after it, by the rule of `bench.stats.comparison`; so nothing is
called a change here that two sides of runs would not be there, and a lone run that jumps is none.  Cuts are
looked for in the whole course, in its halves, in the halves of these, and across them (seeded intervals: Kovacs and
others, Biometrika 110, 2023), the narrowest first (Baranowski and others, J. R. Stat. Soc. B 81, 2019), since
a spell that began and ended shows in no cut of the whole.  The p-values are corrected for all cuts that are tried.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from bench.records.columns import TIMED
from bench.stats.comparison import compare_arms
from bench.stats.estimates import Interval

__all__ = ["Arm", "Change", "Course", "courses"]

Arm = tuple[str, str]
"""Backend and variant."""
_Runs = tuple[int, ...]
"""Numbers of runs, in their order."""
_CHANGED = ("slower", "faster")


@dataclass(frozen=True, slots=True)
class Change:
    """`first` is the number of the first run after it; `ratio` is the time after it over the time before it."""

    first: int
    word: str
    ratio: Interval


@dataclass(frozen=True, slots=True)
class Course:
    """What runs tell of one arm."""

    runs: tuple[int, ...]
    """The numbers of those that timed it."""
    changes: tuple[Change, ...]
    newest: Change | None
    """What the newest run alone suggests, and one run cannot show; None where it suggests nothing."""
    noise_floor: float
    """The smallest change, a fraction, in the middle of the runs since the last one, that would have been called one in
    80 % of the cases; NaN of a lone run."""


def courses(runs: Sequence[pd.DataFrame], threshold: float = 0.05) -> dict[Arm, Course]:
    """The course of each arm over `runs`, the oldest first.

    Each is a frame of `bench.stats.run_estimates.arms_of` with the arms of one case, and with copies of any.  A change
    by no more than the fraction `threshold` is none.
    """
    timed = _timed(runs)
    spans = {arm: _spans(tuple(values)) for arm, values in timed.items()}
    tests = sum(len(span) - 1 for each in spans.values() for span in each)
    cuts = _Cuts(runs, threshold, max(tests, 1))
    return {arm: _course(_Line(cuts, arm, values, threshold), spans[arm]) for arm, values in timed.items()}


def _timed(runs: Sequence[pd.DataFrame]) -> dict[Arm, dict[int, float]]:
    """The log of each arm's time by the numbers of the runs that have it."""
    found: dict[Arm, dict[int, float]] = {}
    for number, frame in enumerate(runs):
        mine = frame[(frame["control"] == "") & frame["status"].isin(TIMED) & frame["value"].notna()]
        for backend, variant, value in zip(mine["backend"], mine["variant"], mine["value"], strict=True):
            found.setdefault((str(backend), str(variant)), {})[number] = float(value)
    return found


def _spans(runs: _Runs) -> list[_Runs]:
    """Where cuts are looked for, the narrowest first: from two neighbours to the whole, each level half across."""
    found: list[_Runs] = []
    length = len(runs)
    while length > 1:
        last = len(runs) - length
        starts = sorted({*range(0, last + 1, length // 2), last})
        found = [*(runs[start : start + length] for start in starts), *found]
        length = 0 if length == 2 else (length + 1) // 2
    return found


class _Cuts:
    """All comparisons that are asked for, each made once for all arms."""

    def __init__(self, runs: Sequence[pd.DataFrame], threshold: float, tests: int) -> None:
        self._runs, self._threshold, self._tests = runs, threshold, tests
        self._seen: dict[tuple[_Runs, _Runs], dict[Arm, Any]] = {}

    def judged(self, arm: Arm, before: _Runs, after: _Runs) -> Any:
        """The arm's row of the `bench.stats.comparison.Comparison` of these runs."""
        if (before, after) not in self._seen:
            old, new = ([self._runs[number] for number in side] for side in (before, after))
            cells = compare_arms(old, new, threshold=self._threshold, tests=self._tests).cells
            rows = {(str(row.backend), str(row.variant)): row for row in cells.itertuples(index=False)}
            self._seen[before, after] = rows
        return self._seen[before, after][arm]


class _Line:
    """One arm's comparisons, and the logs of its times by the runs' numbers."""

    def __init__(self, cuts: _Cuts, arm: Arm, values: dict[int, float], threshold: float) -> None:
        self._cuts, self._arm, self._values = cuts, arm, values
        self._least = math.log1p(threshold)
        self.runs: _Runs = tuple(values)

    def judged(self, before: _Runs, after: _Runs) -> Any:
        return self._cuts.judged(self._arm, before, after)

    def gap(self, before: _Runs, after: _Runs) -> float:
        """The log of the mean time after over that before."""
        old, new = (float(np.mean([self._values[number] for number in side])) for side in (before, after))
        return new - old

    def differs(self, before: _Runs, after: _Runs) -> bool:
        """Whether it is a change: large enough, which is cheap to see, and beyond chance, which is not."""
        large = abs(self.gap(before, after)) > self._least
        return large and self.judged(before, after).change in _CHANGED

    def best(self, span: _Runs, places: Sequence[int]) -> int:
        """Of these places to cut a span at, the one that leaves the least squares."""
        return min(places, key=lambda place: self._squares(span[:place]) + self._squares(span[place:]))

    def _squares(self, runs: _Runs) -> float:
        values = np.array([self._values[number] for number in runs])
        return float(np.square(values - values.mean()).sum())


def _course(line: _Line, spans: Sequence[_Runs]) -> Course:
    changes = _confirmed(line, _found(line, spans))
    since = _pieces(line.runs, [change.first for change in changes])[-1]
    if len(since) < 2:
        return Course(line.runs, changes, None, math.nan)
    middle = len(since) // 2
    floor = float(line.judged(since[:middle], since[middle:]).noise_floor)
    return Course(line.runs, changes, _suspected(line, since), floor)


def _found(line: _Line, spans: Sequence[_Runs]) -> list[int]:
    """The first runs after each cut that is called a change, in their order."""
    found: list[int] = []
    for span in spans:
        if any(span[0] < first <= span[-1] for first in found):
            continue
        places = range(1, len(span))
        called = [place for place in places if line.differs(span[:place], span[place:])]
        if called:
            found.append(span[line.best(span, called)])
    return sorted(found)


def _confirmed(line: _Line, firsts: Sequence[int]) -> tuple[Change, ...]:
    """The changes that still are some between all the runs before, and after, until the next change."""
    kept = list(firsts)
    while kept:
        kept = _moved(line, kept)
        pieces = _pieces(line.runs, kept)
        pairs = list(itertools.pairwise(pieces))
        weak = [place for place, pair in enumerate(pairs) if not line.differs(*pair)]
        if not weak:
            return tuple(_change(first, line.judged(*pair)) for first, pair in zip(kept, pairs, strict=True))
        del kept[min(weak, key=lambda place: abs(line.gap(*pairs[place])))]
    return ()


def _moved(line: _Line, firsts: Sequence[int]) -> list[int]:
    """Each cut moved to where it leaves the least squares between its neighbours."""
    moved = list(firsts)
    for place in range(len(moved)):
        pieces = _pieces(line.runs, moved)
        span = pieces[place] + pieces[place + 1]
        moved[place] = span[line.best(span, range(1, len(span)))]
    return moved


def _pieces(runs: _Runs, firsts: Sequence[int]) -> list[_Runs]:
    """The runs before the first cut, between two, and after the last one."""
    places = [0, *(runs.index(first) for first in firsts), len(runs)]
    return [runs[start:end] for start, end in itertools.pairwise(places)]


def _suspected(line: _Line, since: _Runs) -> Change | None:
    row = line.judged(since[:-1], since[-1:])
    if not row.suspected or row.change != "unresolved":
        return None
    return _change(since[-1], row, "slower" if row.ratio > 1 else "faster")


def _change(first: int, row: Any, word: str = "") -> Change:
    ratio = Interval(float(row.ratio), float(row.ratio_lo), float(row.ratio_hi))
    return Change(first, word or str(row.change), ratio)
