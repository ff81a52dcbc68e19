"""How much memory an experiment takes, and whether it fits.  Asked before anything is allocated."""

from __future__ import annotations

from bench.arrays.call_ring import moves, slot_bytes
from bench.arrays.relocation import moving_bytes
from bench.arrays.shared_inputs import can_share
from bench.machine.environment import last_level_cache
from bench.machine.memory import shortage
from kernels.api import Case

__all__ = ["in_turn_bytes", "needed_bytes", "why_too_large"]


def needed_bytes(case: Case, arms: int) -> int:
    """Bytes that `arms` processes hold at once.

    Each has its slots, what calls allocate (two results that live at once, or where they are given their target as much
    as one for scratch), what moving them takes, and the pristine inputs where they are not shared.
    """
    slot, each = slot_bytes(case), case.n * case.itemsize
    inputs = _input_bytes(case) * (1 if can_share(case) else arms)
    ring = slot + 2 * last_level_cache() if case.cache == "cold" else 0
    results = 2 if case.placement == "new" else 1
    moving = moving_bytes(each, slot // each, results=case.placement == "new") if moves(case) else 0
    return inputs + arms * (slot + ring + moving + results * each)


def in_turn_bytes(case: Case) -> int:
    """Bytes that all arms hold where each lets go of its memory before the next has its turn.

    One more result, since one that cannot be written over is kept for a batch.
    """
    return needed_bytes(case, 1) + (case.placement == "new") * case.n * case.itemsize


def _input_bytes(case: Case) -> int:
    return slot_bytes(case) - (case.placement == "out") * case.n * case.itemsize


def why_too_large(case: Case, arms: int, *, in_turn: bool = False) -> str | None:
    """None if it fits, at once or `in_turn`, else the figures."""
    if in_turn and can_share(case):
        return shortage(in_turn_bytes(case), 1, "choose smaller --sizes")
    return shortage(needed_bytes(case, arms), arms, "choose smaller --sizes")
