"""What the coordinator sees of the machine besides its arms: the time, and what others do.

It is one object, so that a test can replace it by a machine whose every moment is known.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterable
from pathlib import Path

from bench.machine import clocks
from bench.machine.environment import usable_cpus
from bench.machine.foreign_load import Clock, Witness
from bench.machine.nvidia import Watch, watch_of

__all__ = ["HERE", "Surroundings", "runnable"]

_LOADAVG = Path("/proc/loadavg")


def runnable() -> int | None:
    """Threads of the whole system that run or are ready to, the caller among them (proc_loadavg, the fourth field).

    None where the system does not tell.
    """
    try:
        file = os.open(_LOADAVG, os.O_RDONLY)
    except OSError:
        return None
    try:
        return int(os.read(file, 128).split()[3].split(b"/")[0])
    finally:
        os.close(file)


def _spare_cpus() -> int:
    """CPUs of the machine that we may not use: others may."""
    return max((os.cpu_count() or 1) - usable_cpus(), 0)


class Surroundings:
    """This machine."""

    @property
    def spare_cpus(self) -> int:
        """CPUs that we may not use: others may."""
        return _spare_cpus()

    def monotonic(self) -> float:
        """Seconds, for what is waited for."""
        return time.monotonic()

    def clock(self) -> float:
        """Seconds on the clock that arms read, too."""
        return clocks.clock()

    def sleep(self, seconds: float) -> None:
        """Do nothing for so long."""
        time.sleep(seconds)

    def runnable(self) -> int | None:
        """Threads that run or are ready to, the caller among them; None where the system does not tell."""
        return runnable()

    def witness(self, pids: Iterable[int]) -> Witness:
        """What tells how much CPU time others use, besides our processes."""
        return Clock(pids)

    def watch(self, device: str) -> Watch:
        """What tells whether the device is slowed down."""
        return watch_of(device)


HERE = Surroundings()
