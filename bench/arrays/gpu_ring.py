"""An activation on a CUDA card: the backend holds copies of the host arrays there.  Also, what only a card needs.

The pristine inputs, the plants and the poison are written to the host arrays, as on a CPU, and copied to the card
before a batch; results are copied back after it.  None of that is timed.
"""

from __future__ import annotations

from collections.abc import Callable
from statistics import median
from typing import Any

import numpy as np

from bench.arrays.call_ring import Slot, Slots, slot_bytes
from bench.arrays.inputs import Inputs
from bench.machine.clocks import clock
from kernels.api import Backend, Case
from kernels.gpu.card import Card

__all__ = ["CardSlots", "card_of", "device_seconds", "steady", "why_no_room"]

_SPARE = 256 << 20
"""Bytes of a card that are left to its framework."""
_CALLS = 32
"""Calls whose time on the device is taken, at most."""
_MOST_S = 0.2
"""Seconds that they take together, at most."""
_WITHIN = 0.01
"""Two windows that differ by no more than this share show clocks that have settled."""
_WINDOW_S = 0.05
"""Seconds of work in a window."""


def card_of(backend: Backend, case: Case) -> Card | None:
    """What the backend offers of the case's device; None on the CPU, and from a plugin that offers nothing."""
    make: Callable[[str], Card] | None = getattr(backend, "card", None)
    return make(case.device) if make is not None and case.device != "cpu" else None


class CardSlots(Slots):
    """Slots whose handles are copies on a card; `rebind` writes the host arrays over them."""

    def __init__(self, backend: Backend, case: Case, inputs: Inputs, cache_bytes: int) -> None:
        self.card = card_of(backend, case)
        self._cache_of_card = cache_bytes if self.card is None else self.card.cache_bytes()
        super().__init__(backend, case, inputs, self._cache_of_card)

    def sees(self, host: np.ndarray, handle: Any) -> bool:
        """Never: what is on the card is a copy."""
        return False

    @property
    def calls(self) -> int:
        """As many as a callable says that it makes (`calls`), where the backend is one of the suite's own."""
        return int(getattr(self.ring[0].call, "calls", 1)) if self.trusted else 1

    @property
    def why_copies(self) -> None:
        """Nothing is against copies: they lie on the card."""

    def move(self) -> None:
        """Nothing: a card's allocator aligns to 256 bytes and more, wherever that is."""

    def rebind(self, slot: Slot) -> None:
        """Copy the host arrays into the handles; adopt and compile again where a backend cannot."""
        hosts = (slot.x, slot.dy, slot.out)
        pairs = [(handle, host) for handle, host in zip(slot.handles, hosts, strict=True) if host is not None]
        card = self.card
        slot.in_step = card is not None and all(card.update(handle, host) for handle, host in pairs)
        if not slot.in_step:
            super().rebind(slot)

    def hand_over(self, slot: Slot) -> None:
        """Copy ``slot.out`` over the bus."""
        super().hand_over(slot)
        if slot.in_step and slot.out is not None and self.card is not None:
            self.card.update(slot.handles[2], slot.out)

    def evict(self) -> None:
        """Write other memory on the card."""
        if self.card is not None:
            self.card.flush(2 * self._cache_of_card)


def why_no_room(case: Case, card: Card | None) -> str | None:
    """None if the slots of `case` and two results fit into the card's free memory, or nobody can tell."""
    free = None if card is None else card.free_bytes()
    if card is None or free is None:
        return None
    ring = 2 * card.cache_bytes() if case.cache == "cold" else 0
    needed = slot_bytes(case) + ring + 2 * case.n * case.itemsize
    if needed + _SPARE <= free:
        return None
    return (
        f"needs {needed / 2**30:.2f} GiB on {case.device}, where {free / 2**30:.2f} GiB are free "
        f"({_SPARE / 2**30:.2f} GiB are kept spare); choose smaller --sizes or fewer --backends"
    )


def device_seconds(slots: CardSlots, sync: Callable[[Any], None]) -> float | None:
    """Median seconds of a call on the device's own clock; None without events.

    The card is kept busy while a call is launched, so that no launch is waited for between the two marks.
    """
    card, begin = slots.card, clock()
    times: list[float] = []
    while card is not None and len(times) < _CALLS and (not times or clock() - begin < _MOST_S):
        slot = slots.take(1)[0]
        if slots.case.cache == "cold":
            slots.evict()
        card.hold()
        start = card.mark()
        if start is None:
            return None
        result = slot.call()
        end = card.mark()
        sync(result)
        times.append(card.seconds(start, end))
    return median(times) / slots.calls if times else None


def steady(window: Callable[[float], float], most_s: float, clock: Callable[[], float] = clock) -> bool:
    """Work until the card's clocks have settled: two windows in a row take the same time per call.

    `window` works for so many seconds at least and returns seconds per call.  False if `most_s` was not enough.
    """
    end = clock() + most_s
    before = window(_WINDOW_S)
    while clock() < end:
        now = window(_WINDOW_S)
        if abs(now - before) <= _WITHIN * before:
            return True
        before = now
    return False
