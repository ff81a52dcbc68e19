"""How fast the CPUs are at the moment: clocks change, and the other half of a core may be somebody else's.

A virtual machine is told of neither: its frequency is a constant, and time that it shares is not stolen time.  So a
piece of arithmetic that is always the same is timed before, during and after a batch.  On a shared server it took
1.7 times as long as usual for some hundredths of a second, several times a second, and so did the kernels.
"""

from __future__ import annotations

import contextlib
import os
import threading
from collections import deque
from queue import SimpleQueue

from bench.clocks import clock

__all__ = ["SLOW", "Pace", "arithmetic_s"]

SLOW = 1.3
"""A CPU is slow where the arithmetic takes so many times as long as usual; less is within its own noise."""
_TRIES, _STEPS = 3, 300
_KEPT, _USUAL = 120, 0.1
"""What is usual is the lower decile of so many readings: a machine that stays slow is soon what is usual."""
_MOST_CPUS = 4
"""Asking takes some 75 us a CPU: of a larger machine only the CPU that we are on is looked at."""
_HERE = -1


def arithmetic_s() -> float:
    """Seconds of some arithmetic, the least of a few tries: an interrupt hits one of them, a slow CPU all."""
    best = float("inf")
    for _ in range(_TRIES):
        start, total = clock(), 0
        for step in range(_STEPS):
            total += step
        best = min(best, clock() - start)
    return best


class Pace:
    """What is usual in this process, and how far from it the CPUs were during a batch."""

    def __init__(self) -> None:
        self._readings: dict[int, deque[float]] = {}
        self._present: dict[int, list[float]] = {}
        self._watchers: dict[int, _Watcher] = {}
        self.everywhere = False
        """Whether all CPUs matter, and not only the one that this thread is on."""

    def look(self) -> None:
        """Read it, some times in a batch at even distances."""
        watchers = self._everywhere() if self.everywhere else {}
        for cpu, watcher in watchers.items():
            self._present.setdefault(cpu, []).append(watcher.look())
        if not watchers:
            self._present.setdefault(_HERE, []).append(arithmetic_s())

    def of_batch(self) -> float:
        """How many times as long as usual the arithmetic took in the batch that ends now, on the slowest CPU.

        Its second longest reading counts: a CPU that is slow for half of a batch, which the median of its parts
        does not forgive, has two of five.
        """
        present, self._present = self._present, {}
        return max(self._compared(cpu, sorted(readings)) for cpu, readings in present.items())

    def _compared(self, cpu: int, present: list[float]) -> float:
        kept = self._readings.setdefault(cpu, deque(maxlen=_KEPT))
        kept.extend(present)
        return present[-2:][0] / sorted(kept)[int(_USUAL * len(kept))]

    def _everywhere(self) -> dict[int, _Watcher]:
        if not self._watchers and hasattr(os, "sched_getaffinity"):
            cpus = os.sched_getaffinity(0)
            self._watchers = {cpu: _Watcher(cpu) for cpu in cpus} if 1 < len(cpus) <= _MOST_CPUS else {}
        return self._watchers


class _Watcher:
    """A thread that stays on one CPU, asleep but when it is asked; it ends with the process."""

    def __init__(self, cpu: int) -> None:
        self._cpu = cpu
        self._asked: SimpleQueue[None] = SimpleQueue()
        self._told: SimpleQueue[float] = SimpleQueue()
        threading.Thread(target=self._watch, name=f"pace of CPU {cpu}", daemon=True).start()

    def look(self) -> float:
        """Seconds of the arithmetic on that CPU, now."""
        self._asked.put(None)
        return self._told.get()

    def _watch(self) -> None:
        with contextlib.suppress(OSError):  # the CPU has been taken from us; another one is looked at
            os.sched_setaffinity(0, {self._cpu})
        while True:
            self._asked.get()
            self._told.put(arithmetic_s())
