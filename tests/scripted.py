"""For tests of the coordinator: a machine of which every moment is told, and arms on it that take no time."""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

from bench.machine.cpu_speed import Reading
from bench.machine.foreign_load import ForeignUse
from bench.machine.nvidia import Watch
from bench.machine.own_usage import Usage
from bench.machine.surroundings import Surroundings
from bench.messages import (
    ArmRequest,
    DeviceTime,
    DeviceTimes,
    Dispatch,
    Finish,
    Finished,
    Loaded,
    Prepare,
    Prepared,
    Probe,
    Raced,
    Sample,
    TimeBatch,
)
from bench.plan.experiments import Arm
from bench.run.process import ArmError
from kernels.api import Case

__all__ = ["PER_CALL_S", "QUIET", "FakePool", "FakeSurroundings", "seconds_of"]

QUIET = ForeignUse(1.0, 0.0)
"""A second in which others used nothing."""
PER_CALL_S = 1e-5


class FakeSurroundings(Surroundings):
    """Its time stands still but when an arm works; `foreign` is what others used, by window, the last for ever."""

    def __init__(self, foreign: Iterable[ForeignUse] = (QUIET,), watch: Watch | None = None) -> None:
        self.now, self._watch = 1000.0, watch or Watch(None)
        self._foreign = _for_ever(foreign)

    def monotonic(self) -> float:
        return self.now

    def clock(self) -> float:
        return self.now

    def each_cpu(self) -> tuple[Reading, ...]:
        return ()

    def witness(self, pids: Iterable[int]) -> FakeSurroundings:
        return self

    def spent(self, pid: int, total_cpu_s: float) -> None:
        """Nobody's account is kept."""

    def window(self) -> ForeignUse:
        return next(self._foreign)

    def watch(self, device: str) -> Watch:
        return self._watch


def _for_ever(told: Iterable[Any]) -> Iterator[Any]:
    last = None
    for last in told:  # it is told on below
        yield last
    yield from itertools.repeat(last)


def seconds_of(sample: Sample, factor: float) -> Sample:
    """The sample as it would be if the calls took so many times as long."""
    parts = tuple(part * factor for part in sample.parts)
    return replace(sample, seconds=sample.seconds * factor, parts=parts)


Change = Callable[[int, Sample], Sample]
"""Makes of the honest sample of a batch, of that number among all, the one that the arm tells."""


class FakePool:
    """Arms whose calls take `PER_CALL_S` each of the surroundings' time, as told changed.

    `probe_s` is what the probes tell instead, in seconds per call, of arms that are not in `probes`; `refusals` are
    arms that fail, with the request at which they do.  `takes` tells how many seconds of its time a request takes;
    batches take theirs besides.
    """

    pauses = True

    def __init__(
        self,
        surroundings: FakeSurroundings,
        change: Change = lambda _number, sample: sample,
        *,
        probe_s: float = PER_CALL_S,
        probes: Mapping[Arm, float] | None = None,
        refusals: dict[Arm, type[ArmRequest[Any]]] | None = None,
        takes: Callable[[Arm, ArmRequest[Any]], float] = lambda _arm, _request: 0.0,
    ) -> None:
        self.batches: list[tuple[Arm, Sample]] = []
        """All batches that were asked for, in their order."""
        self.asked = Arm("nobody")
        """Whose batch it is, while `change` is asked."""
        self.requests: Counter[type[ArmRequest[Any]]] = Counter()
        self.paused: list[Arm] = []
        """Who was paused, in their order."""
        self.opened: list[Sequence[Arm]] = []
        """Who was started with whom, or was there already."""
        self.together: list[tuple[type[ArmRequest[Any]], Sequence[Arm]]] = []
        """Who was asked for what beside whom."""
        self._around, self.change, self.probe_s, self._probes = surroundings, change, probe_s, probes or {}
        self._refusals, self._takes = refusals or {}, takes

    def open(self, arms: Sequence[Arm], threads: int) -> dict[Arm, Loaded | ArmError]:
        self.opened.append(arms)
        return {arm: Loaded(0.0, "3.11.7", {}) for arm in arms}

    def pause(self, arm: Arm) -> None:
        self.paused.append(arm)

    def call(self, arm: Arm, request: ArmRequest[Any]) -> Any:
        self.requests[type(request)] += 1
        if self._refusals.get(arm) is type(request):
            raise ArmError("failed", f"refuses {request.name!r}")
        self._around.now += self._takes(arm, request)
        if isinstance(request, TimeBatch):
            return self._batch(arm, request)
        answers = {
            Raced: True, Prepare: Prepared(), Probe: self._probes.get(arm, self.probe_s), Finish: Finished(None, {}),
            Dispatch: PER_CALL_S, DeviceTime: DeviceTimes(),
        }  # fmt: skip
        return answers.get(type(request))

    def _batch(self, arm: Arm, request: TimeBatch) -> Sample:
        self.asked, began = arm, self._around.now
        taken_s = request.iterations * PER_CALL_S
        parts = min(8, request.iterations)
        honest = Sample(
            PER_CALL_S, (PER_CALL_S,) * parts, request.iterations, began, began + taken_s, 0.0, 0.0,
            Usage(taken_s, 0), taken_s, None,
        )  # fmt: skip
        told = self.change(len(self.batches), honest)
        told = replace(told, ended=began + max(taken_s, told.seconds * told.iterations))
        self._around.now = told.ended
        self.batches.append((arm, told))
        return told

    def call_all(self, arms: Sequence[Arm], request: ArmRequest[Any]) -> list[Any]:
        outcomes: list[Any] = []
        self.together.append((type(request), arms))
        for arm in arms:
            try:
                outcomes.append(self.call(arm, request))
            except ArmError as error:
                outcomes.append(error)
        return outcomes

    def compile(self, case: Case, arms: Sequence[Arm]) -> dict[Arm, Prepared]:
        return {}

    def renew(self, arms: Sequence[Arm], compiled: Collection[Arm]) -> list[Arm]:
        return []

    def pid(self, arm: Arm) -> int:
        return 1

    def trim(self) -> None:
        """Nothing is kept."""

    def close(self) -> None:
        """Nothing to end."""
