"""The gate of a network: several batches forward, one of them with a NaN; several steps from fresh weights."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Any, ClassVar

import numpy as np

from bench.arrays.call_ring import Slot
from bench.arrays.network_ring import NetworkSlots
from bench.judging.changing_inputs import ChangingInputs
from bench.judging.gate import Gate, GateReport
from bench.judging.network_results import outputs, steps, trained
from bench.judging.plants import Expected
from kernels.networks.weights import pristine

__all__ = ["NetworkGate"]

Array = np.ndarray[Any, Any]
_LIVE = 8
"""Results that are kept at once to see whether they share memory."""
_GATE_STEPS = 3
"""Training steps from fresh weights that are judged number by number."""
_LARGE = 4 << 20
"""Parameters from which the judge, who computes in float64, looks at one input and one training step only."""


class NetworkGate(Gate[NetworkSlots, ChangingInputs]):
    """Linear, activation, Linear: its outputs, or loss and weights after some steps.  Controls have nothing to show."""

    operands: ClassVar[tuple[str, str]] = ("x", "target")

    def __init__(self, slots: NetworkSlots, plants: ChangingInputs, expected: Expected | None = None) -> None:
        super().__init__(slots, plants, expected)
        self.case, self._weights = slots.case, pristine(slots.case)
        self._forward = slots.case.direction == "forward"
        self._small = slots.case.parameters <= _LARGE
        self._used = 0.0

    def before(self) -> GateReport:
        """As for activations, after a call with the pristine inputs, which one may remember."""
        super().call(self.slots.ring[0])
        return super().before()

    def trials(self) -> Iterator[AbstractContextManager[None]]:
        """Several batches of inputs; forward, one with a NaN and one of zeros."""
        if self.is_control:
            return
        kept = self.inputs.x.copy()
        random = np.random.default_rng().standard_normal(kept.shape, np.float32)
        yield self._given(random, kept)
        if self._small:
            yield self._given(kept, kept)
        if self._forward:
            yield self._given(np.zeros_like(kept), kept)
            yield self._given(_with_nan(random), kept)
        self.slots.refill(self.slots.ring[0])  # once: it may compile anew, which takes a step

    @contextmanager
    def _given(self, x: Array, kept: Array) -> Iterator[None]:
        try:
            self.inputs.x[...] = x
            self.slots.refill(self.slots.ring[0])
            yield
        finally:
            self.inputs.x[...] = kept

    @property
    def _steps(self) -> int:
        return _GATE_STEPS if self._small else 1

    def call(self, slot: Slot) -> Any:
        """Forward once, or some training steps from fresh weights."""
        if self._forward:
            return super().call(slot)
        self.slots.rebind(slot)
        for _ in range(self._steps):
            result = super().call(slot)
        return result

    def judge(self, output: Any) -> GateReport:
        """Every number within its bound."""
        if self.is_control:
            return GateReport(None)
        x, target = self.inputs.x, self.inputs.dy
        if self._forward:
            problem, used = outputs(self.case, self._weights, x, output)
        else:
            problem, used = trained(self.case, self._weights, x, target, output, count=self._steps)
        self._used = max(self._used, used)
        return GateReport(problem)

    def judge_trial(self, slot: Slot, result: Any) -> tuple[GateReport, str | None]:
        """Forward, what is computed only when looked at is another result: x is overwritten before."""
        touched = self.touched(slot)
        if slot.aliased and self._forward:
            self.plants.scramble(slot)
        return self.judge(self.look(result)), touched

    def judge_timed(self, output: Any) -> GateReport:
        """Training: the weights stand where all the steps of the last batch lead."""
        if self._forward or self.is_control:
            return self.judge(output)
        x, target = self.inputs.x, self.inputs.dy
        return GateReport(steps(self.case, self._weights, x, target, output, count=self.slots.steps))

    def most_live(self, slot: Slot) -> int:
        """A training step's results are its weights, always the same."""
        return _LIVE if self._forward else 0

    def merged(self, reports: list[GateReport]) -> GateReport:
        """How much of the bound the largest error takes, where none is wrong."""
        if not reports or reports[-1].problem:
            return reports[-1] if reports else GateReport(None)
        return GateReport(None, None, f"error={100 * self._used:.1f} % of the bound")


def _with_nan(x: Array) -> Array:
    changed = x.copy()
    changed[len(x) // 2, -1] = np.nan
    return changed
