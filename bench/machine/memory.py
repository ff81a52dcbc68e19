"""How much memory can be had, and giving some back."""

from __future__ import annotations

import ctypes
import re
import sys
from pathlib import Path
from typing import Any

import numpy as np
import psutil

from bench.machine import cgroups

__all__ = ["SPARE", "free_bytes", "give_back", "oom_kills", "shortage"]

SPARE = 512 << 20
"""Bytes that are left to whatever else runs on the machine."""
_PAGE = 4096
_DONTNEED = 4
"""MADV_DONTNEED on Linux."""


def free_bytes() -> int:
    """Bytes that can be had without swapping; the limits of all control groups above this process count."""
    free, left = int(psutil.virtual_memory().available), cgroups.memory_left()
    return free if left is None else min(free, left)


def oom_kills() -> int:
    """How many processes the kernel has ended for want of memory, in control groups too; 0 where it does not tell."""
    try:
        counters = Path("/proc/vmstat").read_text(encoding="ascii")
    except OSError:
        return 0
    found = re.search(r"^oom_kill (\d+)", counters, re.MULTILINE)
    return int(found[1]) if found else 0


def give_back(array: np.ndarray[Any, Any]) -> None:
    """Let go of the pages that only `array` lies on; it may be anything afterwards, until it is written again.

    Nothing where the system cannot do that (madvise, Linux).
    """
    if sys.platform != "linux":
        return
    low, high = np.lib.array_utils.byte_bounds(array)
    start, end = -(-low // _PAGE) * _PAGE, high // _PAGE * _PAGE
    if start < end:
        ctypes.CDLL(None).madvise(ctypes.c_void_p(start), ctypes.c_size_t(end - start), _DONTNEED)


def shortage(needed: int, arms: int, advice: str) -> str | None:
    """None if so many bytes can be had, else the figures; `advice` says what helps."""
    free = free_bytes()
    if needed + SPARE <= free:
        return None
    those = f"{arms} arms at once" if arms > 1 else "one arm at a time"
    return (
        f"needs {needed / 2**30:.2f} GiB for {those}, {free / 2**30:.2f} GiB are free "
        f"({SPARE / 2**30:.1f} GiB are kept spare); {advice} or fewer --backends"
    )
