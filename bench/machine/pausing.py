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
from pathlib import Path

from bench.machine.clocks import clock
from bench.machine.cpu_speed import this_cpu

__all__ = ["CAN_PAUSE", "continues", "pause", "pauses"]

CAN_PAUSE = sys.platform == "linux"
"""Elsewhere no guardian ends a process that is stopped when the one that would continue it has been killed."""
_STOPS_WITHIN_S = 0.05
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


def pauses(pid: int) -> None:
    """Return when that process has stopped itself; one that does not within a while is stopped."""
    give_up = clock() + _STOPS_WITHIN_S
    while not _is_stopped(pid):
        if clock() > give_up:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGSTOP)
            return
        time.sleep(_LOOK_EVERY_S)


def continues(pid: int) -> None:
    """Have it go on."""
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, signal.SIGCONT)


def _is_stopped(pid: int) -> bool:
    """Whether it has stopped, or ended (proc_pid_stat, the third field)."""
    try:
        state = Path(f"/proc/{pid}/stat").read_bytes().rpartition(b")")[2].split()[0]
    except OSError:
        return True
    return state in b"TZX"
