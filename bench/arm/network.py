"""Networks under the harness: which implementation answers, whether it fits, and what changes in its inputs.

The rules are those for activations.  The callable that is timed is proved right before its first timed call.  Its input
changes from batch to batch.  What it made of the last batch is judged again (`bench.judging.network`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from itertools import chain, repeat
from typing import Any

import numpy as np

from bench.arrays.call_ring import Slot
from bench.arrays.inputs import Inputs, InputSource
from bench.arrays.network_ring import NetworkSlots
from bench.arrays.shared_inputs import NOWHERE, Where
from bench.arrays.slot import Peek
from bench.judging import network_results
from bench.judging.network import NetworkGate
from bench.judging.plants import Expected
from bench.machine import memory
from bench.machine.environment import usable_cpus
from bench.machine.own_usage import LONG_SPIN_S, at_rest
from bench.plan.network_time import LONGEST_S, least_seconds
from kernels import networks
from kernels.api import Backend
from kernels.networks.case import NetworkCase
from kernels.networks.weights import pristine
from kernels.numbers.host_arrays import aligned_empty

__all__ = ["Network", "NetworkPlants"]

Array = np.ndarray[Any, Any]
_MOST_ROWS = 4
"""Rows of the batch that are changed, at most."""
_SCRAMBLED = 0.8125
"""What stands in a batch after `sync`: an ordinary number."""


class NetworkPlants:
    """Some rows of the input batch that are changed from batch to batch, and what has to come of them."""

    dy: Array | None = None
    """Targets stay as they are."""

    def __init__(self, case: NetworkCase, inputs: Inputs) -> None:
        self._case, self._inputs, self._weights = case, inputs, pristine(case)
        self._rng = np.random.default_rng()
        self.index = self._former = np.empty(0, np.intp)
        self.x = inputs.x[self.index]
        self._earlier: tuple[Array, ...] = ()
        self._unturned = self.x

    def change(self) -> None:
        """Other rows, drawn from the system's entropy, and other numbers in them."""
        batch, width = self._inputs.x.shape
        now = self._inputs.x.copy() if batch <= _MOST_ROWS else None
        if now is not None:
            now[self.index] = self.x
        self._former = self.index
        self.index = np.sort(self._rng.permutation(batch)[:_MOST_ROWS])
        self._earlier = tuple(x[self.index] for x in (self._inputs.x, now) if x is not None)
        self.x = self._rng.standard_normal((self.index.size, width), np.float32)

    def surprise(self) -> None:
        """As `change`: all numbers are equally unforeseen."""
        self.change()

    def put(self, slot: Slot) -> Sequence[Any]:
        """Write the present rows, and the pristine ones where the last were."""
        slot.x[self._former] = self._inputs.x[self._former]
        slot.x[self.index] = self.x
        return self._former, self.index

    def turn(self, slot: Slot, calls: int) -> list[Iterator[object]]:
        """Forward, one row; weights depend on all steps since they were fresh, each of the same batch."""
        self._unturned = self.x
        if self._case.direction != "forward" or not self.index.size:
            return []
        self.x = self.x.copy()
        i = int(self._rng.integers(self.index.size))
        self.x[i] = self._rng.standard_normal(self.x.shape[1], np.float32)
        self._earlier = (*self._earlier, self._unturned)
        rows = chain(repeat(self._unturned[i], calls - 1), (self.x[i],))
        return [map(slot.x.__setitem__, repeat(int(self.index[i])), rows)]

    def turn_back(self) -> None:
        """The rows of the batch again."""
        if self.x is not self._unturned:
            self.x, self._earlier = self._unturned, self._earlier[:-1]

    def scramble(self, slot: Slot) -> None:
        """All of the input batch; a training step keeps its own."""
        if self._case.direction == "forward":
            slot.x.fill(_SCRAMBLED)

    def restore(self, slot: Slot) -> None:
        """The input batch as it is now."""
        if self._case.direction == "forward":
            slot.x[...] = self._inputs.x
            slot.x[self.index] = self.x

    def poison(self, array: Array) -> None:
        """NaN everywhere."""
        array.fill(np.nan)

    def problem(self, look: Callable[[], Any], peek: Peek | None = None) -> str | None:
        """Forward: what is wrong with the changed rows.  Training: whether weights moved and are numbers."""
        if self._case.direction == "train_step":
            return network_results.moved(self._case, self._weights, look())
        return network_results.rows(
            self._case, self._weights, self.index, self.x, earlier=self._earlier, look=look
        )


class Network:
    """The workload of one case: Linear, activation, Linear; forward, or a training step."""

    def __init__(self, case: NetworkCase, expected: Expected | None = None) -> None:
        self.case, self._expected = case, expected

    def why_too_large(self, arms: int, seconds: float, *, in_turn: bool = False) -> str | None:
        """Each process has weights, gradients and batches in float32; those at the gate the judge's float64 besides.

        `in_turn` helps nothing: weights are kept.
        """
        case = self.case
        wide = case.batch * sum(case.widths)
        training = case.direction == "train_step"
        resident = 12 * (case.parameters + wide)
        judged = 24 * wide + (40 * case.parameters if training else 0)
        needed = arms * resident + min(arms, usable_cpus()) * judged
        reason = memory.shortage(needed, arms, "choose narrower --widths, smaller --batches")
        needed_s = least_seconds(case, arms)
        if reason is None and needed_s > max(LONGEST_S, 4 * seconds):
            reason = (
                f"{case.flops:.2g} operations a call and {arms} arms would take minutes "
                f"(about {needed_s:.0f} s); ask for it with --max-seconds {needed_s / 4:.0f}"
            )
        return reason

    def why_not(self, loaded: Backend) -> str | None:
        """A backend without a network is skipped."""
        if self._expected is None and loaded.name not in networks.NETWORKS:
            return f"{loaded.name} has no network; those that have one: {', '.join(networks.NETWORKS)}"
        return self.backend(loaded).why_not(self.case)

    def backend(self, loaded: Backend) -> Backend:
        """The network of the same name; a control arm is itself."""
        return loaded if self._expected is not None else networks.load(loaded.name)

    def gate(
        self, backend: Backend, source: InputSource, cache_bytes: int, where: Where = NOWHERE
    ) -> NetworkGate:
        """Standard normal inputs and targets."""
        case, rng = self.case, np.random.default_rng(source.seed)
        x, target = (aligned_empty((case.batch, width), np.float32) for width in case.widths[::2])
        for array in (x, target):
            rng.standard_normal(out=array, dtype=np.float32)
        inputs = Inputs(x, target if case.direction == "train_step" else None)
        slots = NetworkSlots(backend, case, inputs, cache_bytes)
        return NetworkGate(slots, NetworkPlants(case, inputs), self._expected)

    def rest(self) -> bool:
        """Matrix products are OpenBLAS's, whose threads spin for long."""
        return at_rest(LONG_SPIN_S)
