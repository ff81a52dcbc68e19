"""How far a sweep has come, and about how long it takes from here on."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Sequence

from bench.text.units import count_text
from scripts._sweep.lanes import Lane, Lanes

__all__ = ["Pace", "left_text", "status"]

_MINUTE_S, _HOUR_S = 60, 3600


class Pace:
    """How much longer shards take than was foreseen, of those that have ended; and since when others go on."""

    def __init__(self, seconds: Sequence[float], clock: Callable[[], float] = time.monotonic) -> None:
        self._seconds, self._clock = seconds, clock
        self._began: dict[tuple[str, int], float] = {}
        self._took = self._foreseen = 0.0

    def begin(self, run: str, shard: int) -> None:
        """A shard is handed out."""
        self._began[run, shard] = self._clock()

    def end(self, run: str, shard: int) -> None:
        """It has been measured."""
        began = self._began.pop((run, shard), None)
        if began is not None:
            self._took += self._clock() - began
            self._foreseen += self._seconds[shard - 1]

    def left(self, lanes: Collection[Lane], live: Collection[str]) -> float:
        """Seconds until the last lane has ended, if its machines stay."""
        return max((self._left(lane, live) for lane in lanes), default=0.0)

    def _left(self, lane: Lane, live: Collection[str]) -> float:
        slower = self._took / self._foreseen if self._foreseen else 1.0
        now = self._clock()
        begun = (now - self._began.get((lane.run, number), now) for number in lane.going)
        foreseen = slower * sum(self._seconds[number - 1] for number in (*lane.going, *lane.left))
        machines = max(len(set(lane.hosts).intersection(live)), 1)
        return max(foreseen - sum(begun), 0.0) / machines


def left_text(seconds: float) -> str:
    """``about 3 h``, ``about 12 min``, ``less than a minute``."""
    if seconds < _MINUTE_S:
        return "less than a minute"
    if seconds < _HOUR_S:
        return f"about {seconds / _MINUTE_S:.0f} min"
    return f"about {seconds / _HOUR_S:.1f} h"


def status(lanes: Lanes, live: Collection[str], cells: int, left_s: float) -> str:
    """A line: machines, shards, cells, time left."""
    done = sum(len(lane.done) for lane in lanes.all)
    aside = sum(len(lane.missing) for lane in lanes.all)
    machines = len({host for lane in lanes.all for host in lane.hosts}.intersection(live))
    words = [
        count_text(machines, "machine"),
        f"{done} of {count_text(lanes.count * len(lanes.all), 'shard')}",
        *([f"{aside} set aside"] if aside else []),
        count_text(cells, "cell"),
    ]
    return ", ".join([*words, f"{left_text(left_s)} left"] if lanes.busy else words)
