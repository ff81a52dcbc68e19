"""Does an experiment fit?  Asked before anything is allocated."""

from __future__ import annotations

from pathlib import Path

import psutil

from bench.arrays.call_ring import moves, slot_bytes
from bench.arrays.relocation import moving_bytes
from bench.machine.environment import last_level_cache
from kernels.api import Case

__all__ = ["free_bytes", "needed_bytes", "shortage", "why_too_large"]

_SPARE = 512 << 20
_CGROUP = Path("/sys/fs/cgroup")


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


def needed_bytes(case: Case, arms: int) -> int:
    """Bytes that `arms` processes hold at once.

    Each has the pristine inputs, its slots, the gate's copy of a result, what calls allocate (two results that live
    at once, or where they are given their target as much as one for scratch), and what moving them takes.
    """
    slot, each = slot_bytes(case), case.n * case.itemsize
    inputs = slot - (case.placement == "out") * each
    ring = slot + 2 * last_level_cache() if case.cache == "cold" else 0
    results = 3 if case.placement == "new" else 2
    moving = moving_bytes(each, slot // each, results=case.placement == "new") if moves(case) else 0
    return arms * (inputs + slot + ring + moving + results * each)


def why_too_large(case: Case, arms: int) -> str | None:
    """None if it fits, else the figures."""
    return shortage(needed_bytes(case, arms), arms, "choose smaller --sizes")


def shortage(needed: int, arms: int, advice: str) -> str | None:
    """None if so many bytes can be had, else the figures; `advice` says what helps."""
    free = free_bytes()
    if needed + _SPARE <= free:
        return None
    return (
        f"needs {needed / 2**30:.2f} GiB for {arms} arms at once, {free / 2**30:.2f} GiB are free "
        f"({_SPARE / 2**30:.1f} GiB are kept spare); {advice} or fewer --backends"
    )
