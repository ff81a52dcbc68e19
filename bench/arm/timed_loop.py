"""The timed loops, and what was going on while they ran.

`gc` is off inside.  Each call is followed by the backend's `sync`, as a caller who needs the
result would do it; a result is dropped before the next call, as in ``timeit``.  Both are the
same for every arm, and the floor arm shows what they cost.
"""

from __future__ import annotations

import gc
import os
import resource
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from itertools import repeat
from typing import Any

from bench.arrays.call_ring import Slot
from bench.machine.clocks import clock, cpu_clock

__all__ = ["Usage", "at_rest", "settle", "timed", "usage", "waited_s", "without_gc"]

_THREADS = "/proc/self/task"


@dataclass(frozen=True, slots=True)
class Usage:
    """What this process used up: CPU seconds of all its threads, and times it was pushed off a CPU.

    `waited_s`: seconds that its threads were ready to run and had no CPU; 0 where the system does not tell.
    """

    cpu_s: float
    pushed_off: int
    waited_s: float = 0.0

    def since(self, earlier: Usage) -> Usage:
        """The difference to an earlier reading."""
        return Usage(
            self.cpu_s - earlier.cpu_s, self.pushed_off - earlier.pushed_off, self.waited_s - earlier.waited_s
        )


def usage() -> Usage:
    """This process's reading now; involuntary context switches come from the kernel's own count."""
    return Usage(cpu_clock(), resource.getrusage(resource.RUSAGE_SELF).ru_nivcsw, waited_s())


def waited_s() -> float:
    """Seconds that this process's threads were ready to run and had no CPU; 0.0 where the system does not tell.

    Nanoseconds on a run queue are the second number in a thread's schedstat (Linux, proc_pid_schedstat).
    """
    total = 0
    try:
        threads = os.listdir(_THREADS)  # noqa: PTH208  # read twice a batch, for dozens of threads: it must be quick
    except OSError:
        return 0.0
    for thread in threads:
        try:
            file = os.open(f"{_THREADS}/{thread}/schedstat", os.O_RDONLY)
        except OSError:  # the thread has ended, or the kernel was built without
            continue
        try:
            total += int(os.read(file, 64).split()[1])
        finally:
            os.close(file)
    return total / 1e9


@contextmanager
def without_gc() -> Iterator[None]:
    """Keep Python's cycle collector out of a timed region."""
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            gc.enable()


def timed(slots: Sequence[Slot], sync: Callable[[Any], None], count: int, held: list[Any]) -> float:
    """Seconds that `count` calls take, each synchronised.

    With one slot it is called again and again, else slot i serves call i.  `held` has the result of the call
    before, if any, which nobody else should have: it is dropped inside the timed region, as every result
    before the next call is, since for a large one that costs as much as the kernel.  It ends up with the
    last call's result.
    """
    last = slots[-1].call
    calls = [slot.call for slot in slots[: count - 1]] if len(slots) > 1 else repeat(last, count - 1)
    with without_gc():
        start = clock()
        held.clear()
        for call in calls:
            sync(call())
        result = last()
        sync(result)
        seconds = clock() - start
    held.append(result)
    return seconds


def settle(most_s: float = 0.02) -> None:
    """Return when this process's thread pools have stopped spinning, after `most_s` at the latest.

    OpenMP workers spin for milliseconds after a parallel region; another arm's would share their CPU.
    """
    give_up = clock() + most_s
    while clock() < give_up:
        before = cpu_clock()
        time.sleep(0.0003)
        if cpu_clock() - before < 0.0001:
            return


def at_rest(most_s: float = 0.2) -> None:
    """As `settle`, for threads that spin for as long as OpenBLAS's (30 ms and more).

    The process's CPU time counts another thread's only when the scheduler ticks; a thread's state is known at
    once (proc_pid_stat, the third field).
    """
    settle()
    give_up = clock() + most_s
    while clock() < give_up and _others_run():
        time.sleep(0.001)


def _others_run() -> bool:
    """Whether a thread besides this one is running, or ready to; False where the system does not tell."""
    own = str(threading.get_native_id())
    try:
        threads = os.listdir(_THREADS)  # noqa: PTH208  # as above
    except OSError:
        return False
    for thread in threads:
        if thread == own:
            continue
        with suppress(OSError):  # it has ended
            file = os.open(f"{_THREADS}/{thread}/stat", os.O_RDONLY)
            try:
                state = os.read(file, 512).rpartition(b")")[2].split()[:1]
            finally:
                os.close(file)
            if state == [b"R"]:
                return True
    return False
