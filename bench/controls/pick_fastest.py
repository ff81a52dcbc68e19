"""Which of several callables is the fastest, decided once for each kind of work.

Each is called until it is warm, then all are timed in turn, some calls in a row, as in a batch.  The shortest probe
counts, because a disturbance only ever makes a probe longer.  A way with threads is slowed by any other program.  A
long disturbance could spoil a whole race, so it runs until each way has undisturbed probes, within a time limit.  In
the end nearly undisturbed ones will do; a race without those is void.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping
from functools import partial
from itertools import repeat
from typing import Any

from bench.machine.clocks import clock
from bench.machine.own_usage import waited_s

__all__ = ["Bunch", "Race"]

_LEAST_PROBES = 3
"""Undisturbed probes that each way needs."""
_MOST_PROBES = 40
"""Undisturbed probes of each way after which a short race is over."""
_PROBE_S = 1e-3
"""A probe is calls in a row, as a batch is: threads that had to be woken for a single one lose as much as they gain."""
_LONGEST_S = 0.12
"""Seconds that a race usually takes at most."""
_DOUBTED_S = 0.6
"""Seconds that it takes at least where one thread seems to beat several that are usually faster: a CPU that is slow for
a moment, which no counter of a virtual machine shows, does that, and the ceiling would be too low for the whole run."""
_AT_MOST_S = 1.5
"""Seconds that it takes where a way has had too few probes to itself."""
_WAITED = 0.05
"""A probe whose threads waited for a CPU for less than this share of it was undisturbed."""
_WAITED_NEARLY = 0.25
"""In the end this will do: in a probe of microseconds, waking a thread alone may take more than a twentieth."""


Clock = Callable[[], float]
Bunch = Callable[[int], Callable[[], object]]
"""Makes so many calls of a way ready, untimed; what it returns makes them, one after the other."""


class Race:
    """Remembers the winner for every key, so that only the first of many buffers pays.

    `clock` and `waited` give seconds: the time, and how long threads of this process waited for a CPU so far.
    """

    def __init__(self, clock: Clock = clock, waited: Clock = waited_s) -> None:
        self._clock, self._waited = clock, waited
        self._winners: dict[Hashable, str] = {}

    def winner(self, key: Hashable, ways: Mapping[str, Callable[[], Any]]) -> Callable[[], Any]:
        """The fastest of `ways`, called at least once; the one that won before, if `key` is known."""
        call = ways[self.decide(key, {name: partial(_again, call) for name, call in ways.items()})]
        call()
        return call

    def decide(self, key: Hashable, bunches: Mapping[str, Bunch], most: int | None = None) -> str:
        """The name of the fastest, whose probes are bunches of at most `most` calls; the one that won before.

        The first of them, where the race is void: the one that is usually the fastest.
        """
        if self.won(key) not in bunches:
            self._winners[key] = self._run(bunches, most)
        return self._winners[key]

    def __contains__(self, key: Hashable) -> bool:
        """Whether this has been decided."""
        return key in self._winners

    def won(self, key: Hashable) -> str:
        """The name of the winner; empty if this has not been decided."""
        return self._winners.get(key, "")

    def remember(self, key: Hashable, name: str) -> None:
        """That way has won elsewhere: it counts where nothing has been decided here."""
        self._winners.setdefault(key, name)

    def _run(self, bunches: Mapping[str, Bunch], most: int | None) -> str:
        if len(bunches) == 1:
            return next(iter(bunches))
        times = self._clock, self._waited
        begin = self._clock()
        runners = [_Runner(name, bunch, times, most) for name, bunch in bunches.items()]
        while True:
            for runner in runners:
                runner.probe()
            passed_s = self._clock() - begin
            fewest = min(runner.undisturbed for runner in runners)
            best = min(runners, key=lambda runner: runner.best_s).name
            believed = passed_s > _DOUBTED_S or _is_parallel(best) or not _is_parallel(runners[0].name)
            if believed and fewest >= (_LEAST_PROBES if passed_s > _LONGEST_S else _MOST_PROBES):
                return best
            if passed_s > _AT_MOST_S:
                nearly = min(runner.nearly_undisturbed for runner in runners)
                return best if nearly >= _LEAST_PROBES else runners[0].name


def _again(call: Callable[[], Any], count: int) -> Callable[[], object]:
    def calls() -> None:
        for _ in repeat(None, count):
            call()

    return calls


def _is_parallel(way: str) -> bool:
    return way.startswith("parallel")


class _Runner:
    """One way, with the least of its probes so far, in seconds per call."""

    def __init__(self, name: str, bunch: Bunch, times: tuple[Clock, Clock], most: int | None) -> None:
        self.name, self._bunch, self._most = name, bunch, most
        self._clock, self._waited = times
        self.best_s, self.undisturbed, self.nearly_undisturbed = float("inf"), 0, 0
        bunch(1)()
        self.probe()

    def _calls(self) -> int:
        """How many fill a probe, by the fastest one: the first may have taken a hundred times as long."""
        wanted = max(1, int(_PROBE_S / max(self.best_s, 1e-8)))
        return wanted if self._most is None else min(wanted, self._most)

    def probe(self) -> None:
        """Time some calls."""
        count = self._calls()
        calls, waited_before_s, start = self._bunch(count), self._waited(), self._clock()
        calls()
        took_s = self._clock() - start
        waiting_s = self._waited() - waited_before_s
        self.best_s = min(self.best_s, took_s / count)
        if 2 * count >= self._calls():
            self.undisturbed += waiting_s <= _WAITED * took_s
            self.nearly_undisturbed += waiting_s <= _WAITED_NEARLY * took_s
