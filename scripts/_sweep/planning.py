"""What a sweep is made of: the experiments of `pytest bench/` under its options, shared out to shards."""

from __future__ import annotations

from dataclasses import dataclass

from bench.plan.networks import network_plan
from bench.plan.settings import Settings
from bench.plan.shards import shares
from bench.plan.time_plan import time_plan
from bench.run.run import plan
from scripts._shared.cli import UsageError

__all__ = ["Plan", "planned"]


@dataclass(frozen=True, slots=True)
class Plan:
    """The shards of a sweep."""

    seconds: tuple[float, ...]
    """About what each takes on a machine to itself."""
    cells: int
    """Of all shards together; a machine with other backends has others."""

    @property
    def count(self) -> int:
        """How many there are."""
        return len(self.seconds)


def planned(settings: Settings, count: int) -> Plan:
    """At most `count` shards, of whole experiments each.  Raises UsageError where nothing is to be measured."""
    activations, networks = plan(settings), network_plan(settings, alone=False)
    if not activations and not networks:
        raise UsageError("these options leave nothing to measure; see pytest bench/ --collect-only")
    count = min(count, len(activations or networks))
    parts = zip(shares(activations, count), shares(networks, count), strict=True)
    cells = sum(len(experiment.arms) for experiment in (*activations, *networks))
    return Plan(tuple(time_plan(settings, (*some, *others)).seconds for some, others in parts), cells)
