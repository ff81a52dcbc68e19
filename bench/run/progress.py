"""What a run is doing at the moment, for whoever shows it.

The coordinator tells an `Observer` between two requests, in its own thread, and waits until it returns: nothing is
being timed then.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Protocol

from bench.plan.experiments import Arm, Experiment

if TYPE_CHECKING:  # brings NumPy, which collecting a plan must not need
    from bench.run.arm_state import ArmState

__all__ = ["SILENT", "Observer", "Silent"]


class Observer(Protocol):
    """Is told what a run is doing."""

    def visit(self, experiment: Experiment, process: int) -> None:
        """An experiment is about to be measured in the processes of its arms with that number, from 1."""

    def waits(self, arms: Sequence[Arm], doing: str) -> None:
        """The coordinator is about to wait for these arms, which are `doing` something."""

    def round(self, number: int, states: Sequence[ArmState]) -> None:
        """So many rounds of the visit have ended."""

    def ended(self, experiment: Experiment) -> None:
        """An experiment has ended; its cells are written."""


class Silent:
    """Shows nothing."""

    def visit(self, experiment: Experiment, process: int) -> None:
        """Nothing to do."""

    def waits(self, arms: Sequence[Arm], doing: str) -> None:
        """Nothing to do."""

    def round(self, number: int, states: Sequence[ArmState]) -> None:
        """Nothing to do."""

    def ended(self, experiment: Experiment) -> None:
        """Nothing to do."""


SILENT = Silent()
