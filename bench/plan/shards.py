"""A part of a run: whole experiments, so that several machines or jobs make one run between them."""

from __future__ import annotations

import heapq
import re
from collections.abc import Sequence
from dataclasses import dataclass

from bench.plan.experiments import Experiment, weight

__all__ = ["Shard", "part_of", "shard", "shares"]

MOST = 100_000
"""Shards of a run; a slip of the finger beyond."""


@dataclass(frozen=True, slots=True)
class Shard:
    """The `number`th of `count`, from 1."""

    number: int
    count: int

    def __str__(self) -> str:
        return f"{self.number}/{self.count}"


def shard(text: str) -> Shard:
    """What ``3/16`` says.  Raises ValueError."""
    found = re.fullmatch(r"(\d{1,6})/(\d{1,6})", text.strip())
    if found is None:
        raise ValueError(f"{text!r} is no shard; allowed: NUMBER/COUNT, as in 3/16")
    number, count = int(found[1]), int(found[2])
    if not 1 <= number <= count <= MOST:
        raise ValueError(
            f"{text!r} is out of range; allowed: from 1/COUNT to COUNT/COUNT, COUNT at most {MOST}"
        )
    return Shard(number, count)


def part_of(planned: Sequence[Experiment], chosen: Shard | None) -> tuple[Experiment, ...]:
    """The experiments of that shard, in their order; all of them without one."""
    return tuple(planned) if chosen is None else shares(planned, chosen.count)[chosen.number - 1]


def shares(planned: Sequence[Experiment], count: int) -> list[tuple[Experiment, ...]]:
    """The experiments of each of `count` shards, in their order.

    The heaviest is given out first, each to the shard that has least, so that all take about as long.  The same plan
    is shared out in the same way everywhere.
    """
    weights = [weight(experiment) for experiment in planned]
    loads = [(0.0, number) for number in range(count)]
    places: list[list[int]] = [[] for _ in loads]
    for place in sorted(range(len(planned)), key=lambda place: (-weights[place], place)):
        load, number = loads[0]
        heapq.heapreplace(loads, (load + weights[place], number))
        places[number].append(place)
    return [tuple(planned[place] for place in sorted(mine)) for mine in places]
