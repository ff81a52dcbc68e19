"""For tests of processes that are stopped from one moment to the next."""

from __future__ import annotations

import time
from collections.abc import Sequence

import psutil

__all__ = ["states_once_stopped"]

_MOST_S = 10.0


def states_once_stopped(pid: int) -> Sequence[str]:
    """The states of a process's threads, once all have stopped: one that had no CPU does so when it gets one."""
    give_up = time.monotonic() + _MOST_S
    while True:
        states = [psutil.Process(thread.id).status() for thread in psutil.Process(pid).threads()]
        if set(states) == {psutil.STATUS_STOPPED} or time.monotonic() > give_up:
            return states
