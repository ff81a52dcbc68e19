"""Functions of a user's own under the harness: whether they fit, their buffers and their judge."""

from __future__ import annotations

from bench.arrays.function_ring import FunctionSlots, inputs_of, results_of
from bench.arrays.inputs import Inputs, InputSource
from bench.arrays.shared_inputs import NOWHERE, Where
from bench.judging.function import FunctionGate, FunctionPlants
from bench.machine import memory
from bench.machine.own_usage import LONG_SPIN_S, at_rest
from bench.plan.function_case import FunctionCase
from kernels.api import Backend

__all__ = ["Function"]

_COPIES = 4
"""Inputs and results that an arm has at once: its slot, where it is moved to, results that live together."""


class Function:
    """The workload of one array."""

    def __init__(self, case: FunctionCase) -> None:
        self.case = case

    def why_too_large(self, arms: int, seconds: float, *, in_turn: bool = False) -> str | None:
        """Files are shared by all; what an arm holds besides is its own, and kept."""
        needed = (arms * _COPIES + self.case.variants) * self.case.bytes_moved
        return memory.shortage(needed, arms, "choose a smaller x")

    def why_not(self, loaded: Backend) -> str | None:
        """What the adopted function says."""
        return loaded.why_not(self.case)

    def backend(self, loaded: Backend) -> Backend:
        """Itself."""
        return loaded

    def gate(
        self, backend: Backend, source: InputSource, cache_bytes: int, where: Where = NOWHERE
    ) -> FunctionGate:
        """The user's array first."""
        variants, results = inputs_of(self.case), results_of(self.case)
        inputs = Inputs(variants[0], None)
        slots = FunctionSlots(backend, self.case, inputs, cache_bytes)
        return FunctionGate(slots, FunctionPlants(self.case, inputs, variants, results))

    def rest(self) -> bool:
        """Whatever pools the function uses."""
        return at_rest(LONG_SPIN_S)
