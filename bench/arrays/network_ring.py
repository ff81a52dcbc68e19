"""The buffers of a network's case: one batch of inputs, and targets for a training step."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from bench.arrays.call_ring import Slot, Slots
from bench.arrays.relocation import MOVED_BYTES
from bench.arrays.slot import Change
from kernels.networks.case import NetworkCase
from kernels.numbers.host_arrays import aligned_empty

__all__ = ["NetworkSlots"]


class NetworkSlots(Slots):
    """One slot; counts the calls since its weights were fresh."""

    case: NetworkCase
    steps = 0

    def grow(self) -> None:
        """One slot serves a hot case."""

    def _copy(self, array: np.ndarray) -> np.ndarray:
        copy = aligned_empty(array.shape, array.dtype)
        copy[...] = array
        return copy

    def bind(self, x: np.ndarray, dy: np.ndarray | None, out: np.ndarray | None) -> Slot:
        """As for activations; the weights are fresh."""
        self.steps = 0
        return super().bind(x, dy, out)

    def renew(self, slot: Slot, change: Change) -> None:
        """All of the inputs: what is written over them is the whole batch."""
        self.refill(slot, change)

    def take(self, count: int) -> list[Slot]:
        """The one slot, for `count` calls."""
        self.steps += count
        return super().take(count)

    def move(self) -> None:
        """Fresh weights for a training step; small ones, and the inputs, lie elsewhere each time."""
        case = self.case
        if case.direction == "forward" and case.parameters * case.itemsize > MOVED_BYTES:
            return
        old = self.ring[0]
        x, dy = self.places.elsewhere((old.x, old.dy))
        assert x is not None, "there is always an input"
        x[...] = self.inputs.x
        if dy is not None and self.inputs.dy is not None:
            dy[...] = self.inputs.dy
        self.ring[0] = self.bind(x, dy, None)

    def move_result(self, make: Callable[[], Any]) -> None:
        """Nothing: what a network allocates besides its result is of several sizes."""
