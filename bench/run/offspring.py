"""What a child process leaves running: found and ended, also in a session of its own (Linux).

A child runs foreign code, which may start others, and these may leave their session so as to outlive it.  So this
process adopts all of its descendants that lose their parent (prctl's "child subreaper").  Whoever is then a child of
ours in a session that is not ours, and was not started by us, was left by one that is gone.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import sys

import psutil

__all__ = ["end_strays", "ended", "started"]

_PR_SET_CHILD_SUBREAPER = 36  # linux/prctl.h
_MOST_SWEEPS = 50
"""Ending one may leave its own children to us; whoever starts them faster than that is given up."""
_ENDS_WITHIN_S = 1.0

_ours: set[int] = set()
"""Children in sessions of their own that this module started."""
_others: set[int] = set()
"""Those that were there before the first of ours: this process's host started them, which may be a notebook."""


def started(pid: int) -> None:
    """A child of ours in a session of its own is there; from the first one on, strays come to us."""
    if not _ours and sys.platform == "linux":
        _others.clear()
        _others.update(child.pid for child in _in_other_sessions() if child.pid != pid)
        _adopt_orphans(1)
    _ours.add(pid)


def ended(pid: int) -> None:
    """That child is gone; with the last one of ours, orphans are the system's again."""
    _ours.discard(pid)
    if not _ours and sys.platform == "linux":
        end_strays()
        _adopt_orphans(0)


def _adopt_orphans(yes: int) -> None:
    ctypes.CDLL(None).prctl(_PR_SET_CHILD_SUBREAPER, yes)


def end_strays() -> None:
    """End what children that are gone have left, and what that leaves."""
    if sys.platform != "linux":
        return
    for _ in range(_MOST_SWEEPS):
        strays = [child for child in _in_other_sessions() if child.pid not in _ours | _others]
        if not strays:
            return
        for child in strays:
            with contextlib.suppress(psutil.Error):
                child.kill()
                child.wait(_ENDS_WITHIN_S)


def _in_other_sessions() -> list[psutil.Process]:
    own, found = os.getsid(0), []
    for child in psutil.Process().children():
        with contextlib.suppress(ProcessLookupError):
            if os.getsid(child.pid) != own:
                found.append(child)
    return found
