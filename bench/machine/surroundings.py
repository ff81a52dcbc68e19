"""What the coordinator sees of the machine besides its arms: the time, and what others do.

It is one object, so that a test can replace it by a machine whose every moment is known.
"""

from __future__ import annotations

import time
from collections.abc import Iterable

from bench.machine import clocks
from bench.machine.cpu_speed import EachCpu, Reading
from bench.machine.foreign_load import Clock, Witness
from bench.machine.nvidia import Watch, watch_of

__all__ = ["HERE", "Surroundings"]

_each_cpu = EachCpu()


class Surroundings:
    """This machine."""

    def monotonic(self) -> float:
        """Seconds, for what is waited for."""
        return time.monotonic()

    def clock(self) -> float:
        """Seconds on the clock that arms read, too."""
        return clocks.clock()

    def each_cpu(self) -> tuple[Reading, ...]:
        """How fast each of the CPUs is, while no arm works (see `bench.machine.cpu_speed`)."""
        return _each_cpu.look()

    def round_begins(self, number: int) -> None:
        """Called before that round of an experiment; who measures beside something may start or stop it here."""

    def witness(self, pids: Iterable[int]) -> Witness:
        """What tells how much CPU time others use, besides our processes."""
        return Clock(pids)

    def watch(self, device: str) -> Watch:
        """What tells whether the device is slowed down."""
        return watch_of(device)


HERE = Surroundings()
