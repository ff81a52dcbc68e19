"""A pool that tells an observer what is waited for (see `bench.run.progress`)."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any, TypeVar

from bench.messages import ArmRequest, Dispatch, Finish, Loaded, Prepare, Prepared, Probe, TimeBatch
from bench.plan.experiments import Arm
from bench.run.pool import Pool
from bench.run.process import ArmError
from bench.run.progress import Observer
from kernels.api import Case

__all__ = ["WatchedPool"]

A = TypeVar("A")

_DOING: Mapping[type[ArmRequest[Any]], str] = {
    Prepare: "compiling and being checked",
    Probe: "being probed",
    TimeBatch: "being timed",
    Finish: "being checked again",
    Dispatch: "being checked again",
}
"""What an arm does that has been asked for this; of other requests nothing is said, they take no time."""


class WatchedPool:
    """A pool whose observer is told of whatever is waited for."""

    def __init__(self, pool: Pool, observer: Observer) -> None:
        self._pool, self._observer = pool, observer

    def open(self, arms: Sequence[Arm], threads: int) -> dict[Arm, Loaded | ArmError]:
        """As the pool's."""
        self._observer.waits(arms, "starting")
        return self._pool.open(arms, threads)

    def call(self, arm: Arm, request: ArmRequest[A]) -> A:
        """As the pool's."""
        self._tell([arm], request)
        return self._pool.call(arm, request)

    @property
    def pauses(self) -> bool:
        """As the pool's."""
        return self._pool.pauses

    def pause(self, arm: Arm) -> None:
        """As the pool's."""
        self._pool.pause(arm)

    def call_all(self, arms: Sequence[Arm], request: ArmRequest[A]) -> list[A | ArmError]:
        """As the pool's."""
        self._tell(arms, request)
        return self._pool.call_all(arms, request)

    def _tell(self, arms: Sequence[Arm], request: ArmRequest[Any]) -> None:
        doing = _DOING.get(type(request))
        if doing is not None and arms:
            self._observer.waits(arms, doing)

    def compile(self, case: Case, arms: Sequence[Arm]) -> dict[Arm, Prepared]:
        """As the pool's."""
        self._observer.waits(arms, "compiling")
        return self._pool.compile(case, arms)

    def renew(self, arms: Sequence[Arm], compiled: Collection[Arm]) -> list[Arm]:
        """As the pool's."""
        return self._pool.renew(arms, compiled)

    def pid(self, arm: Arm) -> int:
        """As the pool's."""
        return self._pool.pid(arm)

    def trim(self) -> None:
        """As the pool's."""
        self._pool.trim()

    def close(self) -> None:
        """As the pool's."""
        self._pool.close()
