"""How long a child's answer is waited for, and why no longer.

A time-out is to end a child that hangs, not one that others keep from its work.  So seconds in which a thread of the
child was ready to run and had no CPU do not count, nor those in which this process itself was stopped.  Both are looked
up once a second, in waits that are that long; a batch ends before.  So is whether the child was stopped (SIGSTOP),
which no job control does to it: it has a session of its own.
"""

from __future__ import annotations

import contextlib
import os
import signal
import time
from collections.abc import Mapping
from pathlib import Path

import psutil

from bench.machine.cgroups import memory_limit
from bench.machine.memory import SPARE, free_bytes

__all__ = ["Patience"]

_LOOK_EVERY_S = 1.0
_MOST = 5
"""No more than so many times the seconds allowed, since a child with many busy threads starves itself."""
_STOPPED_S = 1.0
"""Late by more than this, this process was stopped, or had no CPU itself."""
_HARDLY_ANY = 0.02
"""Of the machine's memory: if less of it is left, the system is about to end somebody,"""
_MOST_OF_IT = 0.25
"""and it is to be a child that has this share of it, or more."""
_AT_THE_LIMIT = 0.95
"""Of a limit of a process's own: from here on nothing of a useful size is had."""


class Patience:
    """Of the request called `name` to the process `pid`, which may take so many `seconds`."""

    def __init__(self, pid: int, name: str, seconds: float) -> None:
        now = time.monotonic()
        self._pid, self._name = pid, name
        self.deadline = now + seconds
        """When it ends, as `time.monotonic` has it, if nothing else comes in between."""
        self._last = now + _MOST * seconds
        self._looked, self._next = now, now + _LOOK_EVERY_S
        self._starved: Mapping[str, float] | None = None
        self._was_continued = False

    @property
    def seconds(self) -> float:
        """Until it has to be looked at again."""
        return max(min(self.deadline, self._next) - time.monotonic(), 0.0)

    def is_over(self) -> tuple[str, str] | None:
        """Status and reason if the process is not to be waited for any longer."""
        now = time.monotonic()
        if now < min(self.deadline, self._next):
            return None
        if self._count(now) and self._stays_stopped():
            return "crashed", f"was stopped in {self._name!r}, and again after it had been told to go on"
        if now >= self.deadline:
            reason = f"no answer to {self._name!r} within --cell-timeout"
            all_used = _used_up(self._pid)
            return ("oom", f"{reason}, {all_used}") if all_used else ("timeout", reason)
        held = _took_the_rest(self._pid)
        return ("oom", f"{held} in {self._name!r}") if held else None

    def _stays_stopped(self) -> bool:
        """Whether it was stopped once more; the first time it is told to go on, since anybody may have done it."""
        if not _is_stopped(self._pid):
            return False
        if not self._was_continued:
            self._was_continued = True
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.kill(self._pid, signal.SIGCONT)
            return False
        return True

    def _count(self, now: float) -> bool:
        """What does not count of the time since the last look moves the deadline; whether this process was there."""
        since, starved = now - self._looked, _starved(self._pid)
        was_away = now - min(self._next, self.deadline) > _STOPPED_S
        if was_away:
            self.deadline += since
            self._last += since
        elif self._starved is not None:
            before = self._starved
            lost = max((seconds - before.get(task, 0.0) for task, seconds in starved.items()), default=0.0)
            self.deadline = min(self.deadline + min(max(lost, 0.0), since), self._last)
        self._starved, self._looked, self._next = starved, now, now + _LOOK_EVERY_S
        return not was_away


def _is_stopped(pid: int) -> bool:
    """By a signal; one that a debugger holds is not."""
    with contextlib.suppress(psutil.Error):
        return psutil.Process(pid).status() == psutil.STATUS_STOPPED
    return False


def _starved(pid: int) -> dict[str, float]:
    """Seconds that each thread was ready to run and had no CPU; the second number in its schedstat, in ns (Linux)."""
    found = {}
    with contextlib.suppress(OSError):  # it has ended, or this is no Linux
        for task in Path(f"/proc/{pid}/task").iterdir():
            with contextlib.suppress(OSError, IndexError):
                found[task.name] = int((task / "schedstat").read_bytes().split()[1]) / 1e9
    return found


def _used_up(pid: int) -> str | None:
    """Says so if the process has all the memory that it may have (``ulimit -v``)."""
    try:
        process = psutil.Process(pid)
        limit, used = process.rlimit(psutil.RLIMIT_AS)[0], process.memory_info().vms
    except (psutil.Error, AttributeError):  # gone, or not on this system
        return None
    if limit == psutil.RLIM_INFINITY or used < _AT_THE_LIMIT * limit:
        return None
    return f"with {_gib(used)} of the {_gib(limit)} of address space that it may have in use"


def _took_the_rest(pid: int) -> str | None:
    """Says so if the machine is out of memory since the process has it."""
    total, free = psutil.virtual_memory().total, free_bytes()
    total = min(total, memory_limit() or total)
    if free >= min(_HARDLY_ANY * total, SPARE / 2):  # a case is admitted that leaves SPARE
        return None
    with contextlib.suppress(psutil.Error):
        held = psutil.Process(pid).memory_info().rss
        if held >= _MOST_OF_IT * total:
            return f"held {_gib(held)} of memory when only {_gib(free)} were left"
    return None


def _gib(count: float) -> str:
    return f"{count / 2**30:.2f} GiB"
