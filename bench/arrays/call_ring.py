"""The buffers that an arm works on, and the state that they are in before a timed call.

A slot is one set of host arrays with the callable compiled for them.  A hot case has one slot.  In place, every
call needs an input of its own (relu sees only non-negatives the second time, leaky_relu underflows), so a burst
runs over several slots, which are refilled, untimed, between bursts.  A cold case rotates over more bytes than the
last-level cache holds.
"""

from __future__ import annotations

from collections.abc import Callable
from random import SystemRandom
from typing import Any

import numpy as np

from bench.arrays import other_memory
from bench.arrays.inputs import Inputs
from bench.arrays.relocation import MOVED_BYTES, Kept, Places
from bench.arrays.slot import EVERYWHERE, Change, Peek, Slot, aliases, operands, slot_bytes
from bench.machine.clocks import clock
from bench.machine.memory import give_back
from kernels.api import Backend, Case
from kernels.numbers import host_arrays

__all__ = ["Slot", "Slots", "aliases", "moves", "operands", "slot_bytes"]

MOST_SLOTS = 256
"""Each has a call compiled for it, so that more would take long to build."""
INPLACE_BYTES = 256 << 10
"""Bytes of all in-place slots together, a share of most L2 caches: hot inputs have to stay hot."""


def moves(case: Case) -> bool:
    """Whether the arrays of a lone slot, and what its calls allocate, are moved before each batch.

    They are if they lie in main memory, are contiguous, and are small enough for their address to matter.
    """
    usual = case.device == "cpu" and case.layout == "contiguous" and case.cache == "hot"
    return usual and 0 < slot_bytes(case) <= MOVED_BYTES


def _gone() -> None:
    """Stands for a call whose handles were let go of."""
    raise RuntimeError("a slot was called that has no memory")


class Slots:
    """The slots of one case under one backend; a ring that calls are taken from in turn.

    Their arrays lie in memory from `empty`.
    """

    def __init__(
        self,
        backend: Backend,
        case: Case,
        inputs: Inputs,
        cache_bytes: int,
        empty: host_arrays.Empty = host_arrays.aligned_empty,
    ) -> None:
        self.backend, self.case, self.inputs, self._empty = backend, case, inputs, empty
        self.places = Places()
        self.kept = Kept()
        self.trusted = False
        """Whether the backend is one of the suite's own: what it says of itself is read in its source."""
        self.first_call_s: float | None = None
        self.ring = [self._build()]
        self._walk: list[Slot] = []
        self._rng = SystemRandom()
        self._cache_bytes = cache_bytes
        self._evicts = False
        """Whether other memory is written before calls: more slots than there may be would be needed else."""
        self._warm: set[int] = set()
        """Slots, by identity, that something has touched since other memory was last written for eviction."""

    def grow(self) -> None:
        """Add the slots that the case's placement and cache state ask for."""
        size = max(1, slot_bytes(self.case))
        want = 1
        if self.case.cache == "cold":
            want = 2 * self._cache_bytes // size + 2
            self._evicts = want > MOST_SLOTS
        elif self.case.placement == "inplace":
            want = INPLACE_BYTES // size
        while len(self.ring) < min(want, MOST_SLOTS):
            self.ring.append(self._build())
        self._warm.update(map(id, self.ring))

    def _build(self) -> Slot:
        x = self._copy(self.inputs.x)
        dy = None if self.inputs.dy is None else self._copy(self.inputs.dy)
        out = self._target() if self.case.placement == "out" else None
        return self.bind(x, dy, out)

    def _target(self) -> np.ndarray:
        return host_arrays.output_array(self.case, self._empty)

    def move(self) -> None:
        """Move a lone slot's arrays to another address, where `moves` says so."""
        if len(self.ring) > 1 or not moves(self.case):
            return
        old = self.ring[0]
        arrays = self.places.elsewhere((old.x, old.dy, old.out))
        for array, pristine in zip(arrays, (self.inputs.x, self.inputs.dy, None), strict=True):
            if array is not None and pristine is not None:
                array[...] = pristine
        x, dy, out = arrays
        assert x is not None
        self.ring[0] = self.bind(x, dy, out)

    def move_result(self, make: Callable[[], Any]) -> None:
        """Move what calls allocate, too, from the next call on; `make` calls and gives the result."""
        case = self.case
        if case.placement == "new" and len(self.ring) == 1 and moves(case):
            self.kept.exchange(make, case.n * case.itemsize)

    def _copy(self, array: np.ndarray) -> np.ndarray:
        copy = host_arrays.host_array(self.case, self._empty)  # np.copy keeps neither layout nor alignment
        copy[...] = array
        return copy

    def bind(self, x: np.ndarray, dy: np.ndarray | None, out: np.ndarray | None) -> Slot:
        """Adopt the arrays and compile the call for them (which executes it once)."""
        handles = [None if array is None else self.backend.adopt(array, self.case) for array in (x, dy, out)]
        aliased = all(
            array is None or self.sees(array, handle)
            for array, handle in zip((x, dy, out), handles, strict=True)
        )
        start = clock()
        call = self.backend.compile(self.case, *operands(self.case, *handles))
        if self.first_call_s is None:
            self.first_call_s = clock() - start
        return Slot(x, dy, out, call, aliased, tuple(handles))

    def sees(self, host: np.ndarray, handle: Any) -> bool:
        """Whether the backend's `handle` is on the memory of `host`."""
        return aliases(self.backend, host, handle)

    def refill(self, slot: Slot, change: Change | None = None) -> None:
        """Make the slot's inputs pristine again, then `change` them; through a backend's own copy too."""
        slot.x[...] = self.inputs.x
        if slot.dy is not None and self.inputs.dy is not None:
            slot.dy[...] = self.inputs.dy
        if change is not None:
            change(slot)
        if not slot.aliased:
            self.rebind(slot)

    def renew(self, slot: Slot, change: Change) -> None:
        """`change` the slot's inputs, which are as the last change has left them unless a call has overwritten them.

        So all of them are written only where a call writes into them, in place.
        """
        self._warm.add(id(slot))
        if slot.aliased and self.case.placement == "inplace":
            self.refill(slot, change)
            return
        change(slot)
        if not slot.aliased:
            self.rebind(slot)

    def put(self, slot: Slot, change: Change) -> None:
        """`change` the slot's inputs; in place, `establish` gives each call fresh ones besides."""
        self._warm.add(id(slot))
        change(slot)
        if not slot.aliased and self.case.placement != "inplace":
            self.rebind(slot)

    def let_go(self) -> None:
        """Let go of all memory, until `take_up`; the arrays stay where they are."""
        for slot in self.ring:
            if not slot.aliased:
                slot.call, slot.handles = _gone, ()
            for array in (slot.x, slot.dy, slot.out):
                if array is not None:
                    give_back(array)

    def take_up(self, change: Change) -> None:
        """Write all inputs anew, with the present `change`, after `let_go`."""
        for slot in self.ring:
            self.refill(slot, change)

    def rebind(self, slot: Slot) -> None:
        """Hand the host arrays over again: for a backend that copies or consumes its inputs."""
        bound = self.bind(slot.x, slot.dy, slot.out)
        slot.call, slot.handles = bound.call, bound.handles

    @property
    def why_copies(self) -> str | None:
        """Why the backend's handles cannot be timed: work done while inputs are handed over would not be."""
        if self.trusted or all(slot.aliased for slot in self.ring):
            return None
        return (
            "copies what it is given: a handle does not share memory with its host array, and what `adopt` does is "
            "not timed; on the CPU a plugin has to adopt without a copy, or refuse the case in `why_not`"
        )

    @property
    def burst(self) -> int:
        """How many calls may follow each other without something untimed in between; 0: any number."""
        limited = self.case.placement == "inplace" or self._evicts
        return len(self.ring) if limited else 0

    def take(self, count: int) -> list[Slot]:
        """The next `count` slots of the ring, in an order that no call can know; one slot alone stands for all.

        Who knew the next slot could fetch its memory.  In place, and where other memory is written for eviction, they
        differ.  Else each half of the ring is walked in turn: before a slot comes again, as many others have come as
        half the ring has.
        """
        if len(self.ring) == 1:
            return self.ring
        if self.burst:
            cold = [slot for slot in self.ring if id(slot) not in self._warm]
            return self._rng.sample(cold if len(cold) >= count else self.ring, count)
        half = len(self.ring) // 2
        while len(self._walk) < count:
            for part in (self.ring[:half], self.ring[half:]):
                self._walk += self._rng.sample(part, len(part))
        taken, self._walk = self._walk[:count], self._walk[count:]
        return taken

    def establish(self, taken: list[Slot], plant: Change) -> None:
        """Bring the slots that are called next into the state that the case names; untimed.

        `plant` writes the round's changed elements into a slot's host arrays.
        """
        if self.case.placement == "inplace":
            for slot in taken:
                self.renew(slot, plant)
        if not self._evicts:
            return
        if any(id(slot) in self._warm for slot in taken):
            self.evict()
            self._warm.clear()
        self._warm.update(map(id, taken))

    def hand_over(self, slot: Slot, index: Any = EVERYWHERE) -> None:
        """Tell a backend that holds a copy of ``slot.out`` what has been written into it at `index`."""
        self._warm.add(id(slot))

    def peek(self, slot: Slot, result: Any) -> Peek | None:
        """What shows some elements of a call's result, where that costs less than to look at all of it."""
        return None

    def spoil(self, result: Any, index: Any) -> None:
        """Leave the poison at some elements of a result that a backend holds elsewhere, before it is dropped."""

    def spoil_free_memory(self) -> None:
        """The same in memory elsewhere that the next result is likely to get."""

    def evict(self) -> None:
        """Write other memory, so that nothing of the slots is left in the cache."""
        other_memory.write(2 * self._cache_bytes)
