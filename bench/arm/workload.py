"""What depends on what is measured: an activation, or a network.

An experiment's rounds, clocks and statistics are the same for both.  The case decides the rest, once: which
implementation answers to a backend's name, which buffers it works on, what of them changes from round to round,
and who judges.
"""

from __future__ import annotations

from typing import Protocol

from bench.arm.function import Function
from bench.arm.network import Network
from bench.arrays import footprint
from bench.arrays.call_ring import Slots
from bench.arrays.gpu_ring import CardSlots, card_of, why_no_room
from bench.arrays.inputs import InputSource
from bench.arrays.shared_inputs import NOWHERE, Where
from bench.judging.activation import ActivationGate
from bench.judging.changing_inputs import ChangingInputs
from bench.judging.gate import Gate
from bench.judging.plants import Expected
from bench.machine.own_usage import at_rest
from bench.plan.function_case import FunctionCase, plain
from kernels.api import Backend, Case
from kernels.networks.case import NetworkCase

__all__ = ["Workload", "workload_of"]


class Workload(Protocol):
    """One case, as an arm works on it."""

    @property
    def case(self) -> Case:
        """What its calls are made for: of a control beside functions, the flat case of the same bytes."""

    def why_too_large(self, arms: int, seconds: float, *, in_turn: bool = False) -> str | None:
        """Why `arms` processes cannot hold the case, or not run it in anything like `seconds`; None if they can.

        `in_turn`: where only one of them needs its memory at a time.
        """

    def why_not(self, loaded: Backend) -> str | None:
        """Why the backend, or what stands for it here, cannot run the case; None if it can."""

    def backend(self, loaded: Backend) -> Backend:
        """What runs the case in the process of that backend."""

    def gate(
        self, backend: Backend, source: InputSource, cache_bytes: int, where: Where = NOWHERE
    ) -> Gate[Slots, ChangingInputs]:
        """A first slot, with the inputs that all arms build alike, what changes in them, and their judge."""

    def rest(self) -> bool:
        """Return when the thread pools are at rest, so that other arms have the CPUs; False if one goes on."""


class _Activation:
    """ReLU and its like, element by element."""

    def __init__(self, case: Case, expected: Expected | None) -> None:
        self.case, self._expected = case, expected

    def why_too_large(self, arms: int, seconds: float, *, in_turn: bool = False) -> str | None:
        return footprint.why_too_large(self.case, arms, in_turn=in_turn)

    def why_not(self, loaded: Backend) -> str | None:
        return loaded.why_not(self.case)

    def backend(self, loaded: Backend) -> Backend:
        return loaded

    def gate(
        self, backend: Backend, source: InputSource, cache_bytes: int, where: Where = NOWHERE
    ) -> ActivationGate:
        return ActivationGate(self.slots(backend, source, cache_bytes, where), self._expected)

    def slots(self, backend: Backend, source: InputSource, cache_bytes: int, where: Where = NOWHERE) -> Slots:
        return Slots(backend, self.case, source.of(self.case, where), cache_bytes, source.blocks.empty)

    def rest(self) -> bool:
        return at_rest()


class _OnCard(_Activation):
    """The same on a CUDA card, of which the backend holds copies."""

    def why_not(self, loaded: Backend) -> str | None:
        return loaded.why_not(self.case) or why_no_room(self.case, card_of(loaded, self.case))

    def slots(self, backend: Backend, source: InputSource, cache_bytes: int, where: Where = NOWHERE) -> Slots:
        return CardSlots(backend, self.case, source.of(self.case, where), cache_bytes)


def workload_of(case: Case, expected: Expected | None = None) -> Workload:
    """The kind of work that `case` is; for a control arm with what is `expected` of it."""
    if isinstance(case, NetworkCase):
        return Network(case, expected)
    if isinstance(case, FunctionCase):
        if expected is None:
            return Function(case)
        case = plain(case)
    return _Activation(case, expected) if case.device == "cpu" else _OnCard(case, expected)
