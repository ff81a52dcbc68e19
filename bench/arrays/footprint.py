"""How much memory an experiment takes, and whether it fits.  Asked before anything is allocated."""

from __future__ import annotations

from bench.arrays.call_ring import moves, slot_bytes
from bench.arrays.relocation import moving_bytes
from bench.machine.environment import last_level_cache
from bench.machine.memory import shortage
from kernels.api import Case

__all__ = ["needed_bytes", "why_too_large"]


def needed_bytes(case: Case, arms: int) -> int:
    """Bytes that `arms` processes hold at once.

    Each has the pristine inputs, its slots, what calls allocate (two results that live at once, or where they are given
    their target as much as one for scratch), and what moving them takes.
    """
    slot, each = slot_bytes(case), case.n * case.itemsize
    inputs = slot - (case.placement == "out") * each
    ring = slot + 2 * last_level_cache() if case.cache == "cold" else 0
    results = 2 if case.placement == "new" else 1
    moving = moving_bytes(each, slot // each, results=case.placement == "new") if moves(case) else 0
    return arms * (inputs + slot + ring + moving + results * each)


def why_too_large(case: Case, arms: int) -> str | None:
    """None if it fits, else the figures."""
    return shortage(needed_bytes(case, arms), arms, "choose smaller --sizes")
