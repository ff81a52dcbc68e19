"""How much memory can be had."""

from __future__ import annotations

import psutil

from bench.machine import cgroups

__all__ = ["free_bytes", "shortage"]

_SPARE = 512 << 20
"""Bytes that are left to whatever else runs on the machine."""


def free_bytes() -> int:
    """Bytes that can be had without swapping; the limits of all control groups above this process count."""
    free, left = int(psutil.virtual_memory().available), cgroups.memory_left()
    return free if left is None else min(free, left)


def shortage(needed: int, arms: int, advice: str) -> str | None:
    """None if so many bytes can be had, else the figures; `advice` says what helps."""
    free = free_bytes()
    if needed + _SPARE <= free:
        return None
    return (
        f"needs {needed / 2**30:.2f} GiB for {arms} arms at once, {free / 2**30:.2f} GiB are free "
        f"({_SPARE / 2**30:.1f} GiB are kept spare); {advice} or fewer --backends"
    )
