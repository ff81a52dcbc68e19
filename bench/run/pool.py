"""Where arms work: what the coordinator asks of their processes, or of one process that has them all."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import replace
from typing import Protocol, TypeVar

from bench.arrays.shared_inputs import SharedInputs
from bench.messages import ArmRequest, Loaded, Prepare, Prepared
from bench.plan.experiments import Arm
from bench.run.process import ArmError
from kernels.api import Case

__all__ = ["SEED", "Pool", "told_where"]

SEED = 20260101
"""Of the inputs: any number, the same in all runs."""
A = TypeVar("A")


class Pool(Protocol):
    """Where arms work; the same for processes and for inline mode (`bench.run.inline_pool`)."""

    def open(self, arms: Sequence[Arm], threads: int) -> dict[Arm, Loaded | ArmError]:
        """Make sure that the arms are there and have imported their backends."""

    def call(self, arm: Arm, request: ArmRequest[A]) -> A:
        """One answer.  Raises ArmError."""

    @property
    def pauses(self) -> bool:
        """Whether `pause` does something; where not, an arm waits until its threads rest before it answers."""

    def pause(self, arm: Arm) -> None:
        """Return when the arm has stopped, as it says in its last answer, until it is asked again.  Raises ArmError."""

    def call_all(self, arms: Sequence[Arm], request: ArmRequest[A]) -> list[A | ArmError]:
        """The answers of many, some at a time; an ArmError stands for one that did not come."""

    def compile(self, case: Case, arms: Sequence[Arm]) -> dict[Arm, Prepared]:
        """Have the case compiled ahead of the arms, where that is of use; what it took, by arm that was spared it."""

    def renew(self, arms: Sequence[Arm], compiled: Collection[Arm]) -> list[Arm]:
        """End the processes of those `arms` whose backend has an arm that `compiled`.

        Returns the arms that have no process any more; they are to be opened again.
        """

    def pid(self, arm: Arm) -> int:
        """The process id that the arm works in."""

    def trim(self) -> None:
        """Have all arms let go of what they keep for the next case."""

    def close(self) -> None:
        """End everything."""


def told_where(request: ArmRequest[A], shared: SharedInputs) -> ArmRequest[A]:
    """The request, with the place of the inputs that it needs."""
    if not isinstance(request, Prepare) or type(request.case) is not Case:
        return request
    where = shared.where(request.case)
    return replace(request, where=where)  # type: ignore[return-value]  # as the request is, so is its copy
