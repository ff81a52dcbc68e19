"""How much memory can be had."""

from __future__ import annotations

from pathlib import Path

import psutil

__all__ = ["free_bytes", "shortage"]

_SPARE = 512 << 20
"""Bytes that are left to whatever else runs on the machine."""
_CGROUP = Path("/sys/fs/cgroup")
"""Where Linux tells of a container's limits."""


def free_bytes() -> int:
    """Bytes that can be had without swapping; a container's limit counts (cgroup v1 and v2)."""
    free = int(psutil.virtual_memory().available)
    for limit, used in (
        ("memory.max", "memory.current"),
        ("memory/memory.limit_in_bytes", "memory/memory.usage_in_bytes"),
    ):
        try:
            words = [(_CGROUP / name).read_text().strip() for name in (limit, used)]
        except OSError:
            continue  # that version of cgroups is not mounted
        if words[0] != "max":
            free = min(free, int(words[0]) - int(words[1]))
    return max(free, 0)


def shortage(needed: int, arms: int, advice: str) -> str | None:
    """None if so many bytes can be had, else the figures; `advice` says what helps."""
    free = free_bytes()
    if needed + _SPARE <= free:
        return None
    return (
        f"needs {needed / 2**30:.2f} GiB for {arms} arms at once, {free / 2**30:.2f} GiB are free "
        f"({_SPARE / 2**30:.1f} GiB are kept spare); {advice} or fewer --backends"
    )
