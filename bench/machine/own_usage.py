"""What this process uses up: CPU time, waits for a CPU, and whether its threads are at rest."""

from __future__ import annotations

import os
import resource
import threading
import time
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from bench.limits import Finite
from bench.machine.clocks import clock, cpu_clock, thread_clock

__all__ = [
    "LONG_SPIN_S",
    "Accounts",
    "Cost",
    "Idle",
    "Idling",
    "Usage",
    "accounts",
    "at_rest",
    "state_in",
    "usage",
    "waited_s",
    "waits_are_told",
]

_THREADS = "/proc/self/task"
_OWN_LINKS = 2
"""Of any folder; each folder in it, here each thread, is one more."""
_MOST_OPEN = 256
"""Files that are kept open, at most: a process may often have no more than a thousand."""
Accounts = resource.struct_rusage
accounts: Callable[[], Accounts] = partial(resource.getrusage, resource.RUSAGE_SELF)
"""The kernel's accounts of this process, now (getrusage): made into a `Cost` later, since calls wait for it."""


@dataclass(frozen=True, slots=True)
class Usage:
    """What this process used up: CPU seconds of all its threads, and times it was pushed off a CPU.

    `waited_s`: seconds that its threads were ready to run and had no CPU; 0 where the system does not tell.
    """

    cpu_s: Finite
    pushed_off: int
    waited_s: Finite = 0.0

    def since(self, earlier: Usage) -> Usage:
        """The difference to an earlier reading."""
        return Usage(
            self.cpu_s - earlier.cpu_s,
            self.pushed_off - earlier.pushed_off,
            self.waited_s - earlier.waited_s,
        )


@dataclass(frozen=True, slots=True)
class Cost:
    """What calls cost: CPU seconds of all threads, those of them in the kernel, and page faults.

    A page fault is a page of memory that the process was given without reading a disk.  Where the kernel keeps no
    exact accounts it tells the two kinds of CPU time apart by samples, one a tick: a few calls alone say nothing.
    """

    cpu_s: Finite = 0.0
    system_s: Finite = 0.0
    page_faults: int = 0

    @classmethod
    def of(cls, spans: Iterable[tuple[Accounts, Accounts]]) -> Cost:
        """What came between the two readings of each, added up."""
        cpu_s, system_s, page_faults = 0.0, 0.0, 0
        for (
            begun,
            ended,
        ) in spans:  # differences first: where there is none, sums stay what they are to the last bit
            cpu_s += (ended.ru_utime + ended.ru_stime) - (begun.ru_utime + begun.ru_stime)
            system_s += ended.ru_stime - begun.ru_stime
            page_faults += ended.ru_minflt - begun.ru_minflt
        return cls(cpu_s, system_s, page_faults)


@dataclass(frozen=True, slots=True)
class Idle:
    """What this process used up while it had nothing to do: of `cpu_s`, other threads than the caller's `others_s`."""

    s: float = 0.0
    cpu_s: float = 0.0
    others_s: float = 0.0
    page_faults: int = 0


class Idling:
    """Begins when it is made."""

    def __init__(self) -> None:
        self._began = self._now()

    @staticmethod
    def _now() -> tuple[float, float, float, int]:
        own, faults = thread_clock(), accounts().ru_minflt
        return clock(), cpu_clock(), own, faults

    def since(self) -> Idle:
        """So far; to be asked by the thread that made it."""
        s, cpu_s, own_s, faults = (now - then for now, then in zip(self._now(), self._began, strict=True))
        return Idle(s, cpu_s, cpu_s - own_s, int(faults))


def usage() -> Usage:
    """This process's reading now."""
    return Usage(cpu_clock(), accounts().ru_nivcsw, waited_s())


class _Waits:
    """The schedstat of each thread of this process, kept open: to open one takes several times as long as to read it.

    Nanoseconds on a run queue are the second number there (Linux, proc_pid_schedstat).
    """

    def __init__(self) -> None:
        self._files: list[int] = []
        self._seen: tuple[str, int, int] | None = None
        """Where they were listed, by which process (a fork has threads of its own), and the folder's links then."""

    def ns(self) -> int:
        """Of all threads that there are, so far.  Raises OSError where there is no such folder."""
        now = _THREADS, os.getpid(), os.stat(_THREADS).st_nlink  # noqa: PTH116  # twice a batch: it must be quick
        if now != self._seen:
            self._list(now)
        total = 0
        for file in self._files:
            try:
                total += int(os.pread(file, 64, 0).split()[1])
            except OSError:  # the thread has ended; one that has come meanwhile is found the next time
                self._seen = None
        if len(self._files) > _MOST_OPEN:
            self._close()
        return total

    def _list(self, now: tuple[str, int, int]) -> None:
        self._close()
        threads = os.listdir(_THREADS)  # noqa: PTH208  # as above
        for thread in threads:
            with suppress(OSError):  # it has ended, or the kernel was built without
                self._files.append(os.open(f"{_THREADS}/{thread}/schedstat", os.O_RDONLY))
        if (
            now[2] == len(threads) + _OWN_LINKS
        ):  # else the number of links does not tell whether others have come
            self._seen = now

    def _close(self) -> None:
        while self._files:
            os.close(self._files.pop())
        self._seen = None


_waits = _Waits()


def waited_s() -> float:
    """Seconds that this process's threads were ready to run and had no CPU; 0.0 where the system does not tell."""
    try:
        return _waits.ns() / 1e9
    except OSError:
        return 0.0


def waits_are_told() -> bool:
    """Whether `waited_s` can be more than 0.0 on this system (Linux, unless its kernel was built without)."""
    return Path(_THREADS, str(threading.get_native_id()), "schedstat").exists()


LONG_SPIN_S = 0.2
"""Longer than any pool is known to spin; OpenBLAS's does for some 30 ms, Intel's OpenMP for all of this."""


def at_rest(most_s: float = 0.03) -> bool:
    """Return when none of this process's other threads works, after `most_s` at the latest: whether none did then.

    Pools spin after a parallel region, libgomp's for 6 to 9 ms.  Another arm's threads would share
    their CPUs.  The process's CPU time counts another thread's only when the scheduler ticks, so that one that spins
    seems to rest; its state is known at once (proc_pid_stat, the third field).
    """
    give_up = clock() + most_s
    while works := _others_run():
        if clock() >= give_up:
            break
        time.sleep(0.0005)
    return not works


def _others_run() -> bool:
    """Whether a thread besides this one is running, or ready to; by CPU time where the system does not tell."""
    own = str(threading.get_native_id())
    try:
        threads = os.listdir(_THREADS)  # noqa: PTH208  # as above
    except OSError:
        before = cpu_clock()
        time.sleep(0.0003)
        return cpu_clock() - before > 0.0001
    for thread in threads:
        if thread == own:
            continue
        with suppress(OSError):  # it has ended
            if state_in(f"{_THREADS}/{thread}") == b"R":
                return True
    return False


def state_in(folder: str) -> bytes:
    """The state that the kernel tells of a process or a thread, one letter, in its folder of /proc.

    Raises OSError where there is none, or no such folder.
    """
    file = os.open(f"{folder}/stat", os.O_RDONLY)
    try:
        return os.read(file, 512).rpartition(b")")[2].split()[0]
    finally:
        os.close(file)
