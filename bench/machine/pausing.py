"""A process that stops itself between two of its turns, so that none of its threads has a CPU meanwhile (Linux).

Pools spin after a parallel region: libgomp's for 6 to 9 ms, Intel's OpenMP for 200.  Another arm is measured then.
It stops itself, since a signal from outside is taken by a thread that sleeps, which has to wait for a CPU first: that
of one that spins, until the scheduler's next tick.
"""

from __future__ import annotations

import contextlib
import os
import signal
import sys
import time

from bench.machine.clocks import clock
from bench.machine.cpu_speed import this_cpu
from bench.machine.own_usage import state_in

__all__ = ["CAN_PAUSE", "PAUSES_WITHIN_S", "continues", "has_paused", "pause"]

CAN_PAUSE = sys.platform == "linux"
"""Elsewhere no guardian ends a process that is stopped when the one that would continue it has been killed."""
PAUSES_WITHIN_S = 5.0
"""Far longer than a process waits for a CPU beside others' work: it stops as soon as it has answered."""
_LOOK_EVERY_S = 2e-5


def pause() -> None:
    """Stop this process until another continues it.

    The caller goes on where it was, on the CPU that it was on: threads that spin on wake up at the same moment, and
    beside one of them it would wait for a tick, too.
    """
    cpus = os.sched_getaffinity(0)
    with contextlib.suppress(OSError):  # the CPU was taken from us meanwhile
        os.sched_setaffinity(0, {this_cpu()})
    os.kill(os.getpid(), signal.SIGSTOP)
    with contextlib.suppress(OSError):
        os.sched_setaffinity(0, cpus)


def has_paused(pid: int, within_s: float) -> bool:
    """Wait until that process has stopped itself, or has ended; False if it has not within so many seconds.

    It is not stopped from here: it might stop itself after it was continued, and wait for ever.
    """
    give_up = clock() + within_s
    while not _is_stopped(pid):
        if clock() > give_up:
            return False
        time.sleep(_LOOK_EVERY_S)
    return True


def continues(pid: int) -> None:
    """Have it go on."""
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, signal.SIGCONT)


def _is_stopped(pid: int) -> bool:
    """Whether it has stopped, or ended."""
    try:
        return state_in(f"/proc/{pid}") in (b"T", b"Z", b"X")
    except OSError:
        return True
