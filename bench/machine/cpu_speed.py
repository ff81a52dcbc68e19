"""How fast the CPUs are at the moment: clocks change, and the other half of a core may be somebody else's.

A virtual machine sees neither: its frequency is a constant, and time on a shared core is not counted as stolen.  So a
piece of arithmetic that is always the same is timed before, during and after a batch.  When it takes longer than usual,
the kernels do, too; this lasts for milliseconds or for seconds, and each CPU has its own such times.  Arms that work in
one thread therefore all go to the same CPU in a round, each CPU in turn: their ratios then have no part of what CPUs
differ by.  What slow CPUs cost is learnt from all arms (bench/stats/slow_cpus.py).
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import threading
from collections.abc import Callable
from queue import SimpleQueue
from typing import TypeVar

from bench.machine.clocks import clock, cpu_clock, thread_clock

__all__ = ["LOOK_EVERY", "SEEN_S", "EachCpu", "Pace", "Reading", "Readings", "arithmetic_s", "this_cpu"]

_T = TypeVar("_T")
Reading = tuple[int, float]
"""A CPU and the seconds that the arithmetic took there."""
Readings = tuple[tuple[Reading, ...], ...]
"""Those of a batch: for each look, that of the CPU that it was on or, where several matter, of each of them."""

LOOK_EVERY = 4
"""A batch is looked at before it, after it, and between so many of its parts."""
_TRIES = 3
"""An interrupt hits one try, or two; a slow CPU slows them all."""
_STEPS = 300
"""Additions in a try: many times what reading the clock costs, and far less than a part of a batch."""
_OTHERS = 0.05
"""Where a process's other threads have more than this share of its CPU time, it works in several threads."""
SEEN_S = 0.016
"""Seconds of calls that show whether other threads work: their CPU time is counted at the scheduler's ticks alone, of
which one comes each 4 ms, or 10."""
_MOST_CPUS = 4
"""Asking takes time for each CPU: where there are more, only the CPU that we are on is looked at."""


def arithmetic_s() -> float:
    """Seconds of some arithmetic, the least of a few tries: an interrupt hits one of them, a slow CPU all."""
    best = float("inf")
    for _ in range(_TRIES):
        start, total = clock(), 0
        for step in range(_STEPS):
            total += step
        best = min(best, clock() - start)
    return best


def _cpu_teller() -> Callable[[], int]:
    """What tells the number of the CPU that the caller is on (sched_getcpu, Linux); elsewhere always -1."""
    try:
        tell: Callable[[], int] = ctypes.CDLL(None).sched_getcpu
    except (AttributeError, OSError, TypeError):  # TypeError: Windows has no library that is None
        return lambda: -1
    return tell


this_cpu = _cpu_teller()


def _few_cpus() -> set[int]:
    """The CPUs that the calling thread may use, if they are few enough to ask each of them."""
    if not hasattr(os, "sched_getaffinity"):
        return set()
    cpus = os.sched_getaffinity(0)
    return cpus if 1 < len(cpus) <= _MOST_CPUS else set()


class Pace:
    """How fast the CPUs are during a batch, seen from the process that runs it."""

    def __init__(self) -> None:
        self._taken: list[tuple[Reading, ...]] = []
        self.in_threads = False
        """Whether others than the one that calls do some of the work."""

    def learn(self, work: Callable[[], _T]) -> _T:
        """Do what batches are made of, for `SEEN_S` or longer, and see whether other threads work at it, too."""
        all_s, own_s = cpu_clock(), thread_clock()
        result = work()
        all_s, own_s = cpu_clock() - all_s, thread_clock() - own_s
        self.in_threads = all_s - own_s > _OTHERS * all_s
        return result

    def begin(self, turn: int) -> None:
        """Before a batch of that round: go to the CPU whose turn it is, and look.

        Not where other threads work, too: the CPU may be one of theirs, and the two would share it for a whole batch.
        """
        if not self.in_threads:
            _go_to_the_next(turn)
        self.look()

    def look_within(self) -> None:
        """Read it between parts of a batch, every `LOOK_EVERY` of them.

        Not where other threads work, too: they spin between two calls, and would do so for longer than usual.
        """
        if not self.in_threads:
            self.look()

    def look(self) -> None:
        """Read it now, on the CPU that this thread is on."""
        seconds = arithmetic_s()
        self._taken.append(((this_cpu(), seconds),))

    def taken(self) -> Readings:
        """The readings since this was asked last."""
        taken, self._taken = tuple(self._taken), []
        return taken


def _go_to_the_next(turn: int) -> None:
    """Have this thread go on where all go in that turn; it may still use all its CPUs."""
    cpus = sorted(_few_cpus())
    if not cpus:
        return
    with contextlib.suppress(OSError):  # a CPU was taken from us meanwhile: we stay where we are
        os.sched_setaffinity(0, {cpus[turn % len(cpus)]})
    with contextlib.suppress(OSError):
        os.sched_setaffinity(0, cpus)


class EachCpu:
    """Looks at each of the CPUs, where they are few, while nobody works on them.

    It is the coordinator who does, beside a batch of an arm that works in several threads: these spin once they have
    worked, and a look in their own process would wait for their CPU until the scheduler's next tick.
    """

    def __init__(self) -> None:
        self._watchers: dict[int, _Watcher] = {}

    def look(self) -> tuple[Reading, ...]:
        """The reading of each, now; of none where there is one, or more than a few."""
        if not self._watchers:
            self._watchers = {cpu: _Watcher(cpu) for cpu in _few_cpus()}
        return tuple((cpu, watcher.look()) for cpu, watcher in self._watchers.items())


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
