"""What depends on what is measured: an activation, or a network.

An experiment's rounds, clocks and statistics are the same for both.  What differs is chosen once, by the
case: which implementation answers to a backend's name, the buffers that it works on, what of them changes from
round to round, and who judges the results.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol

from bench.arm.network import Network
from bench.arm.timed_loop import settle
from bench.arrays import footprint
from bench.arrays.call_ring import Slot, Slots
from bench.arrays.gpu_ring import CardSlots, card_of, why_no_room
from bench.arrays.inputs import InputSource
from bench.judging import gate
from bench.judging.gate import GateReport
from bench.judging.plants import Plants
from kernels.api import Backend, Case
from kernels.networks.case import NetworkCase

__all__ = ["Planted", "Workload", "workload_of"]


class Planted(Protocol):
    """What changes from batch to batch, and what has to come of it; see `bench.judging.plants.Plants`."""

    def change(self) -> None:
        """Draw anew what is changed."""

    def put(self, slot: Slot) -> None:
        """Write it into a slot's inputs."""

    def poison(self, array: Any) -> None:
        """Make sure that what is read later was written later."""

    def problem(self, look: Callable[[], Any]) -> str | None:
        """What is wrong with the result that `look` shows."""


class Workload(Protocol):
    """A kind of case."""

    def why_too_large(self, case: Case, arms: int, seconds: float) -> str | None:
        """Why `arms` processes cannot hold the case, or not run it in anything like `seconds`; None if they can."""

    def why_not(self, loaded: Backend, case: Case) -> str | None:
        """Why the backend, or what stands for it here, cannot run `case`; None if it can."""

    def backend(self, loaded: Backend) -> Backend:
        """What runs the case in the process of that backend."""

    def slots(self, backend: Backend, case: Case, pristine: InputSource, cache_bytes: int) -> Slots:
        """A first slot, with the inputs that all arms build alike."""

    def plants(self, case: Case, slots: Slots) -> Planted:
        """What changes from batch to batch."""

    def rest(self) -> None:
        """Return when the process's thread pools are at rest, so that other arms have the CPUs."""

    def before(self, backend: Backend, case: Case, slots: Slots) -> GateReport:
        """Judge the callable; the slots end up pristine."""

    def after(
        self, backend: Backend, case: Case, slots: Slots, plants: Planted, last: tuple[Slot, Any]
    ) -> GateReport:
        """Judge the timed output, and try the tricks."""


class _Activation:
    """ReLU and its like, element by element: judged by `kernels.correctness.policy`."""

    def why_too_large(self, case: Case, arms: int, seconds: float) -> str | None:
        return footprint.why_too_large(case, arms)

    def why_not(self, loaded: Backend, case: Case) -> str | None:
        return loaded.why_not(case)

    def backend(self, loaded: Backend) -> Backend:
        return loaded

    def slots(self, backend: Backend, case: Case, pristine: InputSource, cache_bytes: int) -> Slots:
        return Slots(backend, case, pristine.of(case), cache_bytes)

    def plants(self, case: Case, slots: Slots) -> Plants:
        return Plants(case, slots.inputs)

    def rest(self) -> None:
        settle()

    def before(self, backend: Backend, case: Case, slots: Slots) -> GateReport:
        return gate.before(backend, case, slots)

    def after(
        self, backend: Backend, case: Case, slots: Slots, plants: Planted, last: tuple[Slot, Any]
    ) -> GateReport:
        assert isinstance(plants, Plants), "made by this class"
        return gate.after(backend, case, slots, plants, last)


class _OnCard(_Activation):
    """The same on a CUDA card, of which the backend holds copies."""

    def why_not(self, loaded: Backend, case: Case) -> str | None:
        return loaded.why_not(case) or why_no_room(case, card_of(loaded, case))

    def slots(self, backend: Backend, case: Case, pristine: InputSource, cache_bytes: int) -> Slots:
        return CardSlots(backend, case, pristine.of(case), cache_bytes)


_ACTIVATION, _ON_CARD, _NETWORK = _Activation(), _OnCard(), Network()


def workload_of(case: Case) -> Workload:
    """The kind of work that `case` is."""
    if isinstance(case, NetworkCase):
        return _NETWORK
    return _ACTIVATION if case.device == "cpu" else _ON_CARD
