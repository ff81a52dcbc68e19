"""What compilers will take in the visits to come, from what was foreseen and what they took so far.

Most visits compile nothing: a loop that one of them had compiled, all later ones find.  So what the first visits took
says little of the others by itself; it is held against what was foreseen for each.
"""

from __future__ import annotations

from statistics import fmean

from bench.plan.cold_caches import Compiling
from kernels.api import Case

__all__ = ["CompilePace"]

_LAST = 6
"""Visits that foresee those of compilers of which nothing is known."""


class CompilePace:
    """Foresees the first visits of cases, which alone compile."""

    def __init__(self, compiling: Compiling) -> None:
        self._compiling = compiling
        self._slow = [0.0, 0.0]
        """Seconds in visits for which compiling was foreseen: taken, and foreseen."""
        self._surprised = [0.0, 0.0]
        """In the others: taken, and what it would have been with empty caches."""
        self._others: list[float] = []
        """Taken in those of them for which even that is nothing."""
        self._visits = self._foreseen = 0

    def visited(self, case: Case, took_s: float) -> None:
        """Compilers have taken so many seconds for that case."""
        missing_s, everything_s = self._needed(case)
        if missing_s:
            self._foreseen += 1
        elif not everything_s and self._visits:  # the very first one does what is done once, and is no rule
            self._others.append(took_s)
        sums, planned_s = (self._slow, missing_s) if missing_s else (self._surprised, everything_s)
        if planned_s:
            sums[0] += took_s
            sums[1] += planned_s
        self._visits += 1

    def seconds(self, case: Case) -> float:
        """That the first visit of the case will take for it."""
        missing_s, everything_s = self._needed(case)
        took_s, held_s = self._surprised
        surprise_s = (everything_s - missing_s) * took_s / held_s if held_s else 0.0
        unknown_s = fmean(self._others[-_LAST:]) if self._others else 0.0
        return self._slowness * missing_s + surprise_s + unknown_s

    @property
    def _slowness(self) -> float:
        """How many times as long compiling takes as was foreseen; one more visit counts that took just that."""
        took_s, planned_s = self._slow
        one_more_s = planned_s / self._foreseen if self._foreseen else 1.0
        return (took_s + one_more_s) / (planned_s + one_more_s)

    def _needed(self, case: Case) -> tuple[float, float]:
        """What caches lack for a case, and what it would be if they were empty."""
        return self._compiling.missing.get(case, 0.0), self._compiling.everything.get(case, 0.0)
