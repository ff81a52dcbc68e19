"""An arm's server in this process, asked as the coordinator asks it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from bench.arm.server import ArmServer
from bench.judging import diagnosis
from bench.messages import Sample
from kernels.api import Backend, Case

__all__ = ["batches", "never_late", "problem_of", "served"]

_CACHE_BYTES = 1 << 16
_BATCH_S = 0.002


@contextmanager
def never_late() -> Iterator[None]:
    """For work that a moment would not make right: half a second is waited for what may be late, to name it."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(diagnosis, "_LATE_S", 1e-4)
        yield


def served(make: Callable[[], Backend], case: Case, *, plugin: bool = True) -> ArmServer | str:
    """A server that has passed the gate, or why it has not."""
    server = ArmServer(make, 1, _CACHE_BYTES, plugin=plugin)
    server.load()
    prepared = server.prepare(case)
    return prepared.skip or prepared.gate.problem or server


def batches(server: ArmServer, count: int, least: int = 16) -> Iterator[Sample]:
    """So many batches of an ordinary length, and of so many calls at `least`, however busy the machine is."""
    calls = max(least, int(_BATCH_S / server.probe(1e-4, 4)))
    return (server.batch(calls, 0.0005) for _ in range(count))


def problem_of(
    make: Callable[..., Any], case: Case, rounds: int = 6, *, least: int = 16, plugin: bool = True
) -> str | None:
    """The first thing that is wrong with an arm, from the gate to its last look; None if nothing is."""
    server = served(make, case, plugin=plugin)
    if isinstance(server, str):
        return server
    wrong = (sample.problem for sample in batches(server, rounds, least) if sample.problem)
    return next(wrong, None) or server.finish().problem
