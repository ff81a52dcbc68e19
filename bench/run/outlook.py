"""What the visits to come may take, and will: foreseen anew after each that was made."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence

from bench.machine.surroundings import Surroundings
from bench.plan.time_plan import TimePlan
from bench.run.budget import Budget, Share
from bench.run.experiment import Measured
from bench.run.race import LEAST_ROUNDS
from bench.run.time_left import Pace, Took, Visit
from bench.run.visits import Visits

__all__ = ["Outlook"]


class Outlook:
    """Shares the allowed time out among the `visits`, by their pace so far; times in seconds.

    The rounds of one visit may take `most_s`.
    """

    def __init__(self, visits: Visits, allowed: TimePlan, most_s: float, surroundings: Surroundings) -> None:
        self._visits, self._processes, self._surroundings = visits, allowed.processes, surroundings
        self._pace = Pace(allowed.start_up_s, allowed.compiling)
        self._budget = Budget(allowed.seconds, self._pace, most_s)
        self._since = surroundings.monotonic()
        """When the last thing that the time left depends on happened."""
        self._end = self._since + allowed.seconds
        self._ahead: Sequence[Share] | None = None
        self.process = 0
        """The number of the processes that are there."""

    def seconds_left(self) -> float:
        """What the visits to come will take, at the pace so far; until one was made, what was announced."""
        now = self._surroundings.monotonic()
        if not self._pace.known:
            return max(self._end - now, 0.0)
        expected = [share.expected_s for share in self._shares()]
        return sum(expected) - min(now - self._since, *expected[:1], math.inf)

    def least_left(self) -> float:
        """What they will take whatever comes: every experiment is visited in a first process, for the fewest rounds."""
        since_s = self._surroundings.monotonic() - self._since
        first = [visit for visit in self._visits.left(self._processes) if visit[1] == 1]
        return max(sum(map(self._pace.at_least_s, first)) - since_s, 0.0)

    def next_rounds_s(self) -> float:
        """What the rounds of the next visit, or of the one under way, may take."""
        return self._shares()[0].rounds_s

    def least_s(self, visit: Visit) -> float:
        """What the fewest rounds of a visit will take."""
        return self._pace.least_s(visit)

    def affordable(self, visits: Iterable[Visit]) -> Sequence[Visit]:
        """Those of these visits for which there is time, in processes that are started for them."""
        return self._budget.affordable(visits)

    def _shares(self) -> Sequence[Share]:
        """Of the visits to come, the next one, or the one under way, first."""
        if self._ahead is None:
            self._ahead = list(self._budget.shares(self._visits.left(self._processes), self.process))
        return self._ahead

    def started(self, seconds: float) -> None:
        """The processes that are there were started."""
        self._pace.started(seconds)
        self._spent(seconds)

    def visited(self, visit: Visit, seconds: float, measured: Measured) -> None:
        """A visit was made."""
        self._pace.visited(visit, _took(seconds, visit[1], measured))
        self._spent(seconds)

    def _spent(self, seconds: float) -> None:
        self._budget.spend(seconds)
        self.changed()

    def changed(self) -> None:
        """What will come is another now."""
        self._ahead, self._since = None, self._surroundings.monotonic()


def _took(seconds: float, process: int, measured: Measured) -> Took:
    """What a visit took, of so many seconds."""
    batches = [b for state in measured.states for b in state.batches if b.process == process]
    fewest = sum(b.timed_s for b in batches if b.round < LEAST_ROUNDS)
    share = fewest / sum(b.timed_s for b in batches) if batches else 1.0
    return Took(
        measured.rounds_s,
        measured.rounds_s * share,
        seconds - measured.rounds_s - measured.renewed_s,
        measured.renewed_s,
        measured.limited,
    )
