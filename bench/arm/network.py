"""Networks under the harness: their buffers, what changes in them, and who judges them.

The rules are the same as for activations: the very callable that is timed is proved right before its first
timed call, its input changes from batch to batch, and what it made of the last batch is judged again.  The
judge is `kernels.networks.reference`, within the bound that is stated there.

A training step changes the weights, so the call starts every batch from fresh ones and goes on from step to
step as in real training.  After the last batch its weights have to stand where that many steps lead.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from bench.arm.timed_loop import at_rest
from bench.arrays.call_ring import Slot, Slots
from bench.arrays.inputs import Inputs, InputSource
from bench.arrays.relocation import MOVED_BYTES
from bench.judging import network
from bench.judging.diagnosis import host_view, overlap
from bench.judging.gate import GateReport
from bench.judging.plants import expected_by, share_memory
from bench.machine import memory
from bench.machine.environment import usable_cpus
from kernels import networks
from kernels.api import Backend, Case
from kernels.networks.case import NetworkCase
from kernels.networks.weights import pristine
from kernels.numbers.host_arrays import aligned_empty

__all__ = ["Network", "NetworkPlants", "NetworkSlots"]

Array = np.ndarray[Any, Any]
_MOST_ROWS = 4
_LIVE = 8
_GATE_STEPS = 3
_LARGE = 4 << 20
"""Parameters from which the judge, who computes in float64, looks at one input and one training step only."""
_FLOPS_PER_S = 1e11
"""What two good cores do in float32: for telling minutes from hours, not for more."""
_CALLS = 30
_LEAST_S = 60.0


class NetworkSlots(Slots):
    """One slot: a batch of inputs, and targets for a training step; counts the calls since weights were fresh."""

    steps = 0

    def grow(self) -> None:
        """One slot serves a hot case."""

    def _copy(self, array: Array) -> Array:
        copy = aligned_empty(array.shape, array.dtype)
        copy[...] = array
        return copy

    def bind(self, x: Array, dy: Array | None, out: Array | None) -> Slot:
        """As for activations; the weights are fresh."""
        self.steps = 0
        return super().bind(x, dy, out)

    def take(self, count: int) -> list[Slot]:
        """The one slot, for `count` calls."""
        self.steps += count
        return super().take(count)

    def move(self) -> None:
        """Fresh weights for a training step; small ones, and the inputs, lie elsewhere each time."""
        case = self.case
        assert isinstance(case, NetworkCase), "chosen by the case"
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


class NetworkPlants:
    """Some rows of the input batch that are changed from batch to batch, and what has to come of them."""

    def __init__(self, case: NetworkCase, inputs: Inputs) -> None:
        self._case, self._inputs, self._weights = case, inputs, pristine(case)
        self._rng = np.random.default_rng()
        self._rows = self._former = np.empty(0, np.intp)
        self._x = inputs.x[self._rows]
        self._earlier: tuple[Array, ...] = ()

    def change(self) -> None:
        """Other rows, drawn from the system's entropy, and other numbers in them."""
        batch, width = self._inputs.x.shape
        now = self._inputs.x.copy() if batch <= _MOST_ROWS else None
        if now is not None:
            now[self._rows] = self._x
        self._former = self._rows
        self._rows = np.sort(self._rng.permutation(batch)[:_MOST_ROWS])
        self._earlier = tuple(x[self._rows] for x in (self._inputs.x, now) if x is not None)
        self._x = self._rng.standard_normal((self._rows.size, width), np.float32)

    def put(self, slot: Slot) -> None:
        """Write the present rows, and the pristine ones where the last were."""
        slot.x[self._former] = self._inputs.x[self._former]
        slot.x[self._rows] = self._x

    def poison(self, array: Array) -> None:
        """NaN everywhere."""
        array.fill(np.nan)

    def problem(self, look: Callable[[], Any]) -> str | None:
        """Forward: what is wrong with the changed rows.  Training: whether weights moved and are numbers."""
        if self._case.direction == "train_step":
            return network.moved(self._case, self._weights, look())
        return network.rows(self._case, self._weights, self._rows, self._x, earlier=self._earlier, look=look)


class Network:
    """Linear, activation, Linear: forward, or a training step."""

    def why_too_large(self, case: Case, arms: int, seconds: float) -> str | None:
        """Each process has weights, gradients and batches in float32; those at the gate the judge's float64 besides."""
        assert isinstance(case, NetworkCase), "chosen by the case"
        wide = case.batch * sum(case.widths)
        training = case.direction == "train_step"
        resident, judged = (
            12 * (case.parameters + wide),
            24 * wide + (40 * case.parameters if training else 0),
        )
        needed = arms * resident + min(arms, usable_cpus()) * judged
        reason = memory.shortage(needed, arms, "choose narrower --widths, smaller --batches")
        needed_s = arms * _CALLS * case.flops / _FLOPS_PER_S
        if reason is None and needed_s > max(_LEAST_S, 4 * seconds):
            reason = (
                f"{case.flops:.2g} operations a call, {_CALLS} calls and {arms} arms would take minutes "
                f"(about {needed_s:.0f} s); ask for it with --max-seconds {needed_s / 4:.0f}"
            )
        return reason

    def why_not(self, loaded: Backend, case: Case) -> str | None:
        """A backend without a network is skipped."""
        if expected_by(loaded) is None and loaded.name not in networks.NETWORKS:
            return f"{loaded.name} has no network; those that have one: {', '.join(networks.NETWORKS)}"
        return self.backend(loaded).why_not(case)

    def backend(self, loaded: Backend) -> Backend:
        """The network of the same name; a control arm is itself."""
        return loaded if expected_by(loaded) is not None else networks.load(loaded.name)

    def slots(self, backend: Backend, case: Case, pristine: InputSource, cache_bytes: int) -> NetworkSlots:
        """Standard normal inputs and targets."""
        assert isinstance(case, NetworkCase), "chosen by the case"
        rng = np.random.default_rng(pristine.seed)
        x, target = (aligned_empty((case.batch, width), np.float32) for width in case.widths[::2])
        for array in (x, target):
            rng.standard_normal(out=array, dtype=np.float32)
        return NetworkSlots(
            backend, case, Inputs(x, target if case.direction == "train_step" else None), cache_bytes
        )

    def plants(self, case: Case, slots: Slots) -> NetworkPlants:
        """Rows of the batch."""
        assert isinstance(case, NetworkCase), "chosen by the case"
        return NetworkPlants(case, slots.inputs)

    def rest(self) -> None:
        """Matrix products are OpenBLAS's, whose threads spin for long."""
        at_rest()

    def before(self, backend: Backend, case: Case, slots: Slots) -> GateReport:
        """Several inputs forward, one of them with a NaN; several steps from fresh weights."""
        assert isinstance(case, NetworkCase), "chosen by the case"
        if expected_by(backend) is not None:
            return GateReport(None)
        kept = slots.inputs.x.copy()
        random = np.random.default_rng().standard_normal(kept.shape, np.float32)
        batches = [random, kept] if case.parameters <= _LARGE else [random]
        if case.direction == "forward":
            batches += [np.zeros_like(kept), _with_nan(random)]
        used = 0.0
        try:
            for x in batches:
                slots.inputs.x[...] = x
                problem, share = _tried(backend, case, slots)
                used = max(used, share)
                if problem:
                    return GateReport(problem)
        finally:
            slots.inputs.x[...] = kept
            slots.refill(slots.ring[0])
        return GateReport(None, None, f"error={100 * used:.1f} % of the bound")

    def after(
        self, backend: Backend, case: Case, slots: Slots, plants: Any, last: tuple[Slot, Any]
    ) -> GateReport:
        """The timed output as a whole; then a call with other inputs, looked at after these have changed."""
        assert isinstance(case, NetworkCase), "chosen by the case"
        assert isinstance(slots, NetworkSlots), "made by this class"
        if expected_by(backend) is not None:
            return GateReport(None)
        weights, (slot, result) = pristine(case), last
        value = _host(backend, result)
        if case.direction == "forward":
            problem, _ = network.outputs(case, weights, slot.x, value)
        else:
            problem = network.steps(case, weights, slot.x, slot.dy, value, count=slots.steps)
        if problem:
            return GateReport(f"the timed output is wrong: {problem}")
        plants.change()
        slots.refill(slot, plants.put)
        problem, _ = _tried(backend, case, slots, change=plants.put)
        if problem:
            return GateReport(f"passed the gate, but not a call that looked like a timed one: {problem}")
        return GateReport(_shared(backend, case, slot))


def _tried(
    backend: Backend, case: NetworkCase, slots: Slots, change: Callable[[Slot], None] | None = None
) -> tuple[str | None, float]:
    """(What is wrong with a call on the inputs as they are, how much of the bound was used up)."""
    slot = slots.ring[0]
    slots.refill(slot, change)
    if case.direction == "train_step":
        slots.rebind(slot)
        return _trained(backend, case, slot)
    given = slot.x.copy()
    result = slot.call()
    backend.sync(result)
    if not np.array_equal(given, slot.x, equal_nan=True):
        return "writes into its input x", 0.0
    if slot.aliased:
        if share_memory(backend, result, slot.x):
            return "returns memory of its input", 0.0
        slot.x.fill(0.8125)  # what is computed only when looked at is another result
    return network.outputs(case, pristine(case), given, _host(backend, result))


def _trained(backend: Backend, case: NetworkCase, slot: Slot) -> tuple[str | None, float]:
    assert slot.dy is not None, "a training step comes with targets"
    x, target = slot.x.copy(), slot.dy.copy()
    count = _GATE_STEPS if case.parameters <= _LARGE else 1
    for _ in range(count):
        result = slot.call()
        backend.sync(result)
    if not (np.array_equal(x, slot.x) and np.array_equal(target, slot.dy)):
        return "writes into its inputs", 0.0
    return network.trained(case, pristine(case), x, target, _host(backend, result), count=count)


def _with_nan(x: Array) -> Array:
    changed = x.copy()
    changed[len(x) // 2, -1] = np.nan
    return changed


def _host(backend: Backend, result: Any) -> Any:
    return host_view(backend.to_numpy(result))


def _shared(backend: Backend, case: NetworkCase, slot: Slot) -> str | None:
    """Whether results that live at the same time share memory; a training step's are its weights."""
    if case.direction != "forward":
        return None
    live = []
    for _ in range(_LIVE):
        live.append(slot.call())
        backend.sync(live[-1])
    if overlap([_host(backend, each) for each in live]):
        return f"returns an earlier result's memory again: of {_LIVE} results alive, some share memory"
    return None
