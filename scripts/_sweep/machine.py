"""What a worker tells of its machine.  Runs in the worker's process, and costs nothing after the first time."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

from bench.machine.environment import DIFFERS, describe

__all__ = ["RESOURCE", "Told", "dask_set", "difference", "tell"]

RESOURCE = "machine"
"""What a worker offers one of: whoever has it has the machine to himself."""
_HEARD = ("distributed.worker.profile.enabled", "distributed.admin.tick.interval")
"""Settings of Dask by which one sees whether `dask.json` was read."""
_VERSIONS = ("python", "packages", "commit")


@dataclass(frozen=True, slots=True)
class Told:
    """A worker, and the machine that it is on."""

    host: str
    """As the scheduler sees it: the part of its address without the port."""
    machines: float
    """How many of `RESOURCE` it offers."""
    described: Mapping[str, Any]
    """The entries of environment.json that make machines alike or not, none of which changes when one starts anew."""
    commit: str
    quiet: bool
    """Whether its Dask was started with the settings that keep it from being heard."""

    @property
    def name(self) -> str:
        """As in the column `machine`."""
        return str(self.described["machine"])

    @property
    def versions(self) -> dict[str, Any]:
        """Of what is installed, and of this suite."""
        return {name: {**self.described, "commit": self.commit}[name] for name in _VERSIONS}


def tell(dask_worker: Any) -> Told:
    """For `distributed.Client.run`, which hands over the worker."""
    import dask  # noqa: PLC0415  # an extra

    described, commit = _described()
    profiled, tick = (dask.config.get(name) for name in _HEARD)
    return Told(
        host=host_of(dask_worker.address),
        machines=float(dask_worker.state.total_resources.get(RESOURCE, 0)),
        described=described,
        commit=commit,
        quiet=not profiled and tick == "10s",
    )


def host_of(address: str) -> str:
    """The host in the address of a worker.  IPv6 stays in its brackets."""
    return address.partition("://")[2].rpartition(":")[0]


@cache
def _described() -> tuple[Mapping[str, Any], str]:
    found = describe({})
    return {name: found[name] for name in DIFFERS}, found["commit"]


def dask_set() -> Sequence[str]:
    """The environment variables that a nanny has set for its worker, such as one thread for all.

    A shard is measured without them.  What a user had set before the nanny started is left alone by it, and here.
    """
    import dask  # noqa: PLC0415  # an extra

    found: Mapping[str, Any] = dask.config.get("distributed.nanny.pre-spawn-environ")
    return [name for name, value in found.items() if value is not None and os.environ.get(name) == str(value)]


def difference(one: Mapping[str, Any], other: Mapping[str, Any]) -> str | None:
    """The first entry in which two machines (or two sets of versions) differ, in words; None where none does."""
    for name, value in one.items():
        others = other.get(name)
        if isinstance(value, dict) and isinstance(others, dict):
            inner = difference(value, others) or difference(others, value)
            if inner is not None:
                return f"{name}, {inner}"
        elif value != others:
            return f"{name}: {value} and {others}"
    return None
