"""An activation on a CUDA card: the backend holds copies of the host arrays there.

The pristine inputs, the plants and the poison are written to the host arrays, as on a CPU.  Whole arrays go over the
bus at the gate and at the end.  Between batches only the elements that change are sent, and only those that are looked
at come back.  In place, what a call has overwritten is renewed by a copy within the card's memory: while data goes over
the bus, a card is idle and its clock falls.  None of that is timed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from functools import partial
from typing import Any

import numpy as np

from bench.arrays.call_ring import Slots
from bench.arrays.inputs import Inputs
from bench.arrays.slot import EVERYWHERE, Change, Peek, Slot, slot_bytes
from kernels.api import Backend, Case
from kernels.gpu.card import Card
from kernels.numbers import host_arrays

__all__ = ["CardSlots", "card_of", "why_no_room"]

_SPARE = 256 << 20
"""Bytes of a card that are left to its framework."""
_INPUTS, _OUT = (0, 1), (2,)
"""Which of a slot's handles they are."""


def card_of(backend: Backend, case: Case) -> Card | None:
    """What the backend offers of the case's device; None on the CPU, and from a plugin that offers nothing."""
    make: Callable[[str], Card] | None = getattr(backend, "card", None)
    return make(case.device) if make is not None and case.device != "cpu" else None


class CardSlots(Slots):
    """Slots whose handles are copies on a card; `rebind` writes the host arrays over them."""

    def __init__(self, backend: Backend, case: Case, inputs: Inputs, cache_bytes: int) -> None:
        self.card = card_of(backend, case)
        self._cache_of_card = cache_bytes if self.card is None else self.card.cache_bytes()
        self._pristine: Any = None
        """What calls overwrite, as it is before them: a handle that none of them is given."""
        self._unsent: dict[int, list[Any]] = {}
        """Indexes at which a slot's host arrays were changed since its copies were, by the identity of the slot."""
        super().__init__(backend, case, inputs, self._cache_of_card)

    def sees(self, host: np.ndarray, handle: Any) -> bool:
        """Never: what is on the card is a copy."""
        return False

    @property
    def why_copies(self) -> None:
        """Nothing is against copies: they lie on the card."""

    def move(self) -> None:
        """Nothing: a card's allocator aligns to 256 bytes and more, wherever that is."""

    def rebind(self, slot: Slot) -> None:
        """Copy the host arrays into the handles; adopt and compile again where a backend cannot."""
        hosts = (slot.x, slot.dy, slot.out)
        card = self.card
        slot.in_step = bool(slot.handles) and all(
            card is not None and card.update(handle, host)
            for handle, host in zip(slot.handles, hosts, strict=True)
            if host is not None
        )
        self._unsent.pop(id(slot), None)
        if not slot.in_step:
            super().rebind(slot)

    def put(self, slot: Slot, change: Change) -> None:
        """In place, what is changed is sent when the slot is renewed."""
        if self.case.placement == "inplace":
            self._unsent.setdefault(id(slot), []).extend(change(slot))
        else:
            self.renew(slot, change)

    def renew(self, slot: Slot, change: Change) -> None:
        """Send what is changed; in place, after a pristine copy of what the last call has overwritten."""
        self._warm.add(id(slot))
        changed = [*self._unsent.pop(id(slot), ()), *change(slot)]
        if not (slot.in_step and self._restored(slot) and self._sent(slot, _INPUTS, changed)):
            self.rebind(slot)

    def _restored(self, slot: Slot) -> bool:
        """Whether no call's work is left in the inputs."""
        if self.case.placement != "inplace":
            return True
        number = 0 if slot.dy is None else 1
        if self._pristine is None:
            inputs = self.inputs.x if self.inputs.dy is None else self.inputs.dy
            self._pristine = self.backend.adopt(self._copy(inputs), self.case)
        return self.card is not None and self.card.copy(slot.handles[number], self._pristine)

    def _sent(self, slot: Slot, numbers: Sequence[int], indexes: Iterable[Any]) -> bool:
        """Write what those of the slot's host arrays have at the indexes to the card; False if it cannot be done."""
        hosts, card = (slot.x, slot.dy, slot.out), self.card
        pairs = [(slot.handles[number], host) for number in numbers if (host := hosts[number]) is not None]
        return card is not None and all(
            card.put(handle, index, host[index]) for index in indexes for handle, host in pairs
        )

    def hand_over(self, slot: Slot, index: Any = EVERYWHERE) -> None:
        """Send ``slot.out``, or its elements at `index`."""
        super().hand_over(slot, index)
        if not slot.in_step or slot.out is None or self.card is None:
            return
        if index is EVERYWHERE:
            self.card.update(slot.handles[2], slot.out)
        else:
            self._sent(slot, _OUT, [index])

    def peek(self, slot: Slot, result: Any) -> Peek | None:
        """The elements alone come back over the bus."""
        return None if self.card is None else partial(self.card.take, slot.standing(self.case, result))

    def spoil(self, result: Any, index: Any) -> None:
        """By the card's allocator, the next result is likely to lie where this one did."""
        if self.card is not None:
            poison = np.empty(np.shape(index[0]), host_arrays.np_dtype(self.case.dtype))
            host_arrays.poison(poison)
            self.card.put(result, index, poison)

    def spoil_free_memory(self) -> None:
        """As above, with all of an array."""
        poison = host_arrays.host_array(self.case)
        host_arrays.poison(poison)
        self.backend.adopt(poison, self.case)

    def let_go(self) -> None:
        """Of the pristine copy, too."""
        super().let_go()
        self._pristine = None

    def evict(self) -> None:
        """Write other memory on the card."""
        if self.card is not None:
            self.card.flush(2 * self._cache_of_card)


def why_no_room(case: Case, card: Card | None) -> str | None:
    """None if the slots of `case` and two results (in place: a pristine copy) fit into the card's free memory.

    None as well where nobody can tell.
    """
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
