"""Which shard is to be measured where, and what became of it.  Knows nothing of Dask."""

from __future__ import annotations

from collections import deque
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Any

from scripts._sweep.machine import Told, difference

__all__ = ["ANY", "EACH", "Done", "Lane", "Lanes"]

EACH, ANY = "each", "any"


@dataclass(frozen=True, slots=True)
class Done:
    """Where and when a shard was measured; seconds since 1970, on that machine's clock."""

    host: str
    began_s: float
    ended_s: float


@dataclass(slots=True)
class Lane:
    """All shards for one machine, or for a group of machines that are alike: what makes one run."""

    run: str
    """The run's id, and the name of its folder."""
    told: Mapping[str, Any]
    """`Told.described` of its machines."""
    versions: Mapping[str, Any]
    count: int
    hosts: list[str] = field(default_factory=list)
    done: dict[int, Done] = field(default_factory=dict)
    """By shard, from 1."""
    failed: set[int] = field(default_factory=set)
    """Of those that are done: shards with a cell that failed."""
    missing: dict[int, str] = field(default_factory=dict)
    """Why a shard was set aside."""
    going: set[int] = field(default_factory=set)
    left: deque[int] = field(default_factory=deque)

    def begin(self) -> None:
        """What is not done is left to do, what was set aside in an earlier sitting too."""
        self.missing.clear()
        self.left = deque(number for number in range(1, self.count + 1) if number not in self.done)

    def take(self, live: Collection[str]) -> int | None:
        """The next shard, if one of the lane's machines is there and has nothing to do."""
        if not self.left or len(self.going) >= len(set(self.hosts).intersection(live)):
            return None
        number = self.left.popleft()
        self.going.add(number)
        return number

    def end(self, number: int, done: Done, *, failed: bool) -> None:
        """A shard was measured; `failed`: with a cell that failed."""
        self.going.discard(number)
        self.done[number] = done
        if failed:
            self.failed.add(number)

    def set_aside(self, number: int, reason: str) -> None:
        """A shard is not tried again in this sitting."""
        self.going.discard(number)
        self.missing[number] = reason

    def lose(self, reason: str) -> list[int]:
        """None of its machines is there any more: what is not done is missing; returns what was going on."""
        lost = sorted(self.going)
        for number in (*lost, *self.left):
            self.missing[number] = reason
        self.going.clear()
        self.left.clear()
        return lost


class Lanes:
    """All lanes of a sweep."""

    def __init__(self, sweep: str, on: str, count: int) -> None:
        self.sweep, self.on, self.count = sweep, on, count
        self.all: list[Lane] = []

    def place(self, told: Told, *, same_versions: bool = False) -> str | None:
        """Give a machine its lane; in words why it can have none."""
        mine = next((lane for lane in self.all if told.host in lane.hosts), None)
        if mine is not None:
            changed = difference(mine.told, told.described)
            return changed and f"{told.host} is another machine by now ({changed}); choose another --run-id"
        if self.on == ANY and self.all:
            return self._join(self.all[0], told)
        if same_versions and self.all:
            unlike = difference(self.all[0].versions, told.versions)
            if unlike is not None:
                return f"{told.host} has other versions than {self.all[0].hosts[0]} ({unlike}), and --same-versions"
        lane = Lane(self._new_name(told), told.described, told.versions, self.count, [told.host])
        lane.begin()
        self.all.append(lane)
        return None

    def _join(self, lane: Lane, told: Told) -> str | None:
        unlike = difference(lane.told, told.described)
        if unlike is not None:
            return (
                f"{told.host} differs from {lane.hosts[0]} ({unlike}); --on {EACH} measures them side by side"
            )
        lane.hosts.append(told.host)
        return None

    def _new_name(self, told: Told) -> str:
        plain = f"{self.sweep}-{told.name}"
        taken = {lane.run for lane in self.all}
        number = 1
        while (name := plain if number == 1 else f"{plain}-{number}") in taken:
            number += 1
        return name

    def unlike_versions(self) -> list[str]:
        """A sentence for each machine whose versions are not those of the first."""
        found = []
        for lane in self.all[1:]:
            unlike = difference(self.all[0].versions, lane.versions)
            if unlike is not None:
                found.append(f"{lane.hosts[0]} has other versions than {self.all[0].hosts[0]}: {unlike}")
        return found

    @property
    def busy(self) -> bool:
        """Whether anything is going on, or left to do."""
        return any(lane.going or lane.left for lane in self.all)
