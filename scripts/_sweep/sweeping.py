"""The sweep itself: hands out shards to machines that are free, takes what they send, and notices who is gone."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from scripts._sweep.background import Background
from scripts._sweep.engine import Ended, Engine, Grown
from scripts._sweep.index import index_of, write_index
from scripts._sweep.keeping import Kept, UnreadableError
from scripts._sweep.lanes import Done, Lane, Lanes
from scripts._sweep.machine import Told
from scripts._sweep.planning import Plan
from scripts._sweep.progress import Pace, status
from scripts._sweep.shard import BENCH, FAILED, Order, ShardEnd

__all__ = ["Asked", "Sweep", "problems"]

_WAIT_S = 1.0
_PAUSE, _LONGEST_PAUSE_S = 20.0, 60.0
"""So many times as long as the index took, it is not written again; what is not in it is in the runs' own files."""


@dataclass(frozen=True, slots=True)
class Asked:
    """What a sweep is asked for."""

    folder: Path
    """Where its index and the folders of its runs lie."""
    options: tuple[str, ...]
    """Of `pytest bench/`, as they are typed."""
    plan: Plan
    patience_s: float
    """How long a machine that is gone is waited for."""
    look_s: float = 5.0
    """Between two looks at which machines are there."""
    same_versions: bool = False
    program: tuple[str, ...] = BENCH
    """What runs in the place of `pytest bench/`, for `scripts.fleet`."""


class Sweep:
    """One sitting of a sweep; `say` is told how it goes on."""

    def __init__(self, asked: Asked, lanes: Lanes, engine: Engine, say: Callable[[str], None]) -> None:
        self._asked, self.lanes, self._engine, self._say = asked, lanes, engine, say
        self._disk = Background(engine.wake)
        self._changed, self._write_from = False, -math.inf
        self._kept: dict[str, Kept] = {}
        self._live: dict[str, Told] = {}
        self._seen = time.monotonic()
        self._gone_since: dict[str, float] = {}
        self._remarks: set[str] = set()
        self._pace = Pace(asked.plan.seconds)

    def run(self) -> None:
        """Until every shard is done or set aside.  Raises UsageError, and what says that nothing can be stored."""
        for lane in self.lanes.all:
            self._kept_of(lane)
        write_index(self._asked.folder, self._index())
        try:
            with self._disk:
                self._go_on()
        finally:
            self._disk.settle()
            write_index(self._asked.folder, self._index())

    def _go_on(self) -> None:
        self._look()
        while True:
            self._hand_out()
            if not self.lanes.busy and not self._disk:
                break
            event = self._engine.next(_WAIT_S)
            if isinstance(event, Grown):
                self._grow(event)
            elif isinstance(event, Ended):
                self._end(event)
            self._disk.settle()
            self._write()
            if time.monotonic() - self._seen > self._asked.look_s:
                self._look()

    def status(self) -> str:
        """Machines, shards, cells, time left."""
        left = self._pace.left(self.lanes.all, self._live)
        return status(self.lanes, self._live, sum(map(len, self._kept.values())), left)

    def _look(self) -> None:
        """Which machines are there: new ones get work, and whoever is gone for too long is given up."""
        self._live, trouble = self._engine.machines()
        self._seen = time.monotonic()
        hosts = self._hosts()
        for told in self._live.values():
            refused = self.lanes.place(told, same_versions=self._asked.same_versions)
            if refused:
                trouble.append(refused)
            elif not told.quiet:
                trouble.append(
                    f"{told.host}: its Dask can be heard; start it with DASK_CONFIG (docs/fleet.md)"
                )
        if self._hosts() != hosts:  # which run is whose has to be known before any row of it is
            self._changed, self._write_from = True, -math.inf
            self._write()
        for sentence in trouble:
            if sentence not in self._remarks:
                self._say(sentence)
        self._remarks.update(trouble)
        for lane in self.lanes.all:
            self._wait_for(lane)

    def _hosts(self) -> int:
        """How many machines have a lane."""
        return sum(len(lane.hosts) for lane in self.lanes.all)

    def _wait_for(self, lane: Lane) -> None:
        if not (lane.going or lane.left) or not self._live.keys().isdisjoint(lane.hosts):
            self._gone_since.pop(lane.run, None)
            return
        gone_s = self._seen - self._gone_since.setdefault(lane.run, self._seen)
        if gone_s > self._asked.patience_s:
            for number in lane.lose(f"{', '.join(lane.hosts)}: gone for {gone_s:.0f} s"):
                self._engine.give_up(_key(lane, number))
            self._say(f"{lane.run}: its machine is gone; {self.status()}")
            self._changed = True

    def _hand_out(self) -> None:
        for lane in self.lanes.all:
            while (number := lane.take(self._live)) is not None:
                asked, shard = self._asked, f"{number}/{lane.count}"
                order = Order(self.lanes.sweep, shard, asked.options, lane.told, asked.program)
                self._engine.start(_key(lane, number), order, lane.hosts)
                self._pace.begin(lane.run, number)

    def _grow(self, event: Grown) -> None:
        lane = self._lane_of(event.host)
        if lane is None or int(event.shard.partition("/")[0]) in lane.done:
            return  # of an earlier sitting, or of a machine that was taken for lost
        kept = self._kept_of(lane)

        def take() -> str:
            try:
                kept.grow(event.shard, event.host, event.number, event.line)
            except UnreadableError as error:
                return f"{event.host}, shard {event.shard}: {error}"
            return ""

        self._disk.do(take, lambda trouble: self._say(trouble) if trouble else None)

    def _end(self, event: Ended) -> None:
        lane, number = self._named(event.key)
        self._pace.end(lane.run, number)
        lane.going.discard(number)
        end = event.end
        if end is None:
            self._close(lane, number, None, event.reason)
            return
        kept, shard = self._kept_of(lane), f"{number}/{lane.count}"
        self._disk.do(
            lambda: _stored(kept, shard, end), lambda reason: self._close(lane, number, end, reason)
        )

    def _close(self, lane: Lane, number: int, end: ShardEnd | None, reason: str) -> None:
        """A shard is done, and stored; or it is set aside for a reason."""
        if end is None or reason:
            lane.set_aside(number, reason)
            self._say(f"shard {number}/{lane.count} is set aside: {reason}")
        else:
            lane.end(number, Done(end.host, end.began_s, end.ended_s), failed=end.code == FAILED)
            self._say(self.status())
        self._changed = True

    def _lane_of(self, host: str) -> Lane | None:
        return next((lane for lane in self.lanes.all if host in lane.hosts), None)

    def _named(self, key: str) -> tuple[Lane, int]:
        run, _, number = key.rpartition(" ")
        return next(lane for lane in self.lanes.all if lane.run == run), int(number)

    def _kept_of(self, lane: Lane) -> Kept:
        if lane.run not in self._kept:
            self._kept[lane.run] = Kept(self._asked.folder / lane.run)
        return self._kept[lane.run]

    def _write(self) -> None:
        """Have the index written if anything has changed, and once at a time."""
        now = time.monotonic()
        if self._changed and now > self._write_from:
            self._changed, self._write_from = False, math.inf
            index = self._index()
            self._disk.do(lambda: write_index(self._asked.folder, index), lambda _: self._written(now))

    def _written(self, began: float) -> None:
        """An index of a hundred thousand shards takes a second: most of the time is for what machines send."""
        now = time.monotonic()
        self._write_from = now + min(_PAUSE * (now - began), _LONGEST_PAUSE_S)

    def _index(self) -> Mapping[str, Any]:
        cells = {run: len(kept) for run, kept in self._kept.items()}
        return index_of(self.lanes, self._asked.options, cells, self._asked.plan.cells)


def _stored(kept: Kept, shard: str, end: ShardEnd) -> str:
    """Store what a shard sent; why it is not done, nothing if it is."""
    try:
        kept.finish(shard, end.lines)
    except UnreadableError as error:
        return f"{end.host}: {error}"
    return "" if end.done else f"{end.host}: {end.reason}"


def _key(lane: Lane, number: int) -> str:
    return f"{lane.run} {number}"


def problems(lanes: Sequence[Lane]) -> list[str]:
    """A line for each run of which something is missing, by reason."""
    found = []
    for lane in lanes:
        for reason in dict.fromkeys(lane.missing.values()):
            numbers = [str(number) for number, why in sorted(lane.missing.items()) if why == reason]
            found.append(f"{lane.run}: missing shard {', '.join(numbers)} of {lane.count}: {reason}")
    return found
