"""Was anything else using the machine during a round?

What others spent is the CPU time of the machine (``/proc/stat``, in ticks, stolen time included) less what our own
processes spent.  It is reported beside each batch, and nothing more: what others do takes time from some arms and not
from others, so a rule that drops batches would favour some.
"""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Protocol

import psutil

__all__ = ["Clock", "ForeignUse", "Witness"]

_SHARE = 0.15
"""The share of one CPU above which others' use matters; the median of a batch's parts forgives less."""
_TICKS_S = 0.03
"""CPU seconds that rounding alone can make: several ticks of 10 ms.  Only more than that is load."""


@dataclass(frozen=True, slots=True)
class ForeignUse:
    """CPU seconds that others used in a window of `wall_s` seconds; below 0 where ticks round so, which sums mend."""

    wall_s: float
    cpu_s: float

    def __add__(self, other: ForeignUse) -> ForeignUse:
        return ForeignUse(self.wall_s + other.wall_s, self.cpu_s + other.cpu_s)

    @property
    def contended(self) -> bool:
        """More than a stray tick, and a share of one CPU that matters."""
        return self.cpu_s > _TICKS_S and self.cpu_s > _SHARE * self.wall_s


class Witness(Protocol):
    """What tells how much CPU time others use."""

    def spent(self, pid: int, total_cpu_s: float) -> None:
        """Note what one of our processes has used up since its start."""

    def window(self) -> ForeignUse:
        """What others used since the last call."""


class Clock:
    """Reads the machine's busy time against our own, window by window."""

    def __init__(self, pids: Iterable[int] = ()) -> None:
        self._ours: dict[int, float] = {}
        for pid in pids:
            with contextlib.suppress(psutil.Error):  # it has died, which the next call to it tells
                times = psutil.Process(pid).cpu_times()
                self.spent(pid, times.user + times.system)
        self._mark = self._read()

    def spent(self, pid: int, total_cpu_s: float) -> None:
        """Note what one of our processes has used up since its start."""
        if pid != os.getpid():  # which is counted anyway
            self._ours[pid] = total_cpu_s

    def _read(self) -> tuple[float, float, float]:
        times = psutil.cpu_times()
        idle = times.idle + getattr(times, "iowait", 0.0)
        # guest time is part of user time already
        busy = sum(times[:8]) - idle if len(times) >= 8 else sum(times) - idle
        return time.perf_counter(), busy, sum(self._ours.values()) + time.process_time()

    def window(self) -> ForeignUse:
        """What others used since the last call."""
        earlier, self._mark = self._mark, self._read()
        wall, busy, ours = (now - then for now, then in zip(self._mark, earlier, strict=True))
        return ForeignUse(wall, busy - ours)
