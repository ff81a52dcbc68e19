"""The process that times one backend by torch's Timer: ``python -m scripts._agreement.peer FD``."""

from __future__ import annotations

import itertools
import sys
from statistics import median

import torch
from torch.utils.benchmark import Timer

from bench.arm.worker import refusal
from bench.arrays.call_ring import Slots
from bench.arrays.inputs import InputSource
from bench.channel import inherited, serve
from bench.machine.cpu_speed import Pace
from bench.machine.environment import last_level_cache
from bench.machine.own_usage import at_rest
from bench.run.pool import SEED
from kernels import registry
from kernels.api import Case
from scripts._agreement.messages import TimeOf

__all__ = ["main"]

_PARTS = 4
"""Of the Timer's turn, each looked at by itself."""
_PART_S = 0.005
"""Seconds of a part; together about as long as a batch of ours."""


class _Subject:
    """One backend at one case, timed by torch's Timer; its arrays move before each time, as ours do."""

    def __init__(self, name: str, case: Case) -> None:
        self.case, self._backend = case, registry.load(name)
        self._backend.set_threads(case.threads)
        self._slots = Slots(self._backend, case, InputSource(SEED).of(case), last_level_cache())
        self._pace = Pace()
        at_rest()
        self._pace.learn(lambda: self._timer().blocked_autorange(min_run_time=_PART_S))

    def seconds(self, turn: int) -> float:
        """Seconds per call; the median of the Timer's blocks."""
        self._slots.move()
        timer = self._timer()
        self._pace.begin(turn)
        parts = [timer.blocked_autorange(min_run_time=_PART_S).times for _ in range(_PARTS)]
        at_rest()
        return median(itertools.chain.from_iterable(parts))

    def _timer(self) -> Timer:
        """The Timer for the calls where they are now."""
        names = {"call": self._slots.ring[0].call, "sync": self._backend.sync}
        return Timer("sync(call())", globals=names, num_threads=torch.get_num_threads())


class _Peer:
    def __init__(self) -> None:
        self._subject: _Subject | None = None

    def answer(self, request: TimeOf) -> float:
        """Seconds per call."""
        if self._subject is None or self._subject.case != request.case:
            self._subject = None  # the old arrays first
            self._subject = _Subject(request.backend, request.case)
        return self._subject.seconds(request.turn)


def main(fd: int) -> None:
    """Serve until the parent hangs up."""
    serve(inherited(fd), (TimeOf,), _Peer().answer, refusal)


if __name__ == "__main__":
    main(int(sys.argv[1]))
