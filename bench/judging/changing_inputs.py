"""What changes in an arm's inputs, so that its results must change with them: of any kind of case."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any, Protocol

from bench.arrays.slot import Peek, Slot
from bench.judging.diagnosis import Array

__all__ = ["ChangingInputs"]


class ChangingInputs(Protocol):
    """What changes in the inputs from batch to batch, and what has to come of it."""

    index: Any
    """Which elements of x, and of dy, are changed: an index into the pristine arrays."""
    x: Array
    dy: Array | None
    """What stands there now; None where dy is not changed."""

    def change(self) -> None:
        """Draw anew what is changed."""

    def surprise(self) -> None:
        """As `change`, for the last look: with values that no batch had, where there are such."""

    def put(self, slot: Slot) -> Sequence[Any]:
        """Write it into a slot's inputs, and the pristine values where the last changes were; the indexes of both."""

    def turn(self, slot: Slot, calls: int) -> list[Iterator[object]]:
        """Change some of it once more, so that results change, too: iterators that each write when an item is taken.

        The first of so many items write what is there, and only the last something else: what is done before a call
        is the same for all.  No iterators where nothing can be said of the next result alone.
        """

    def turn_back(self) -> None:
        """Undo that; the slot is another matter (`restore`)."""

    def scramble(self, slot: Slot) -> None:
        """After `sync`: overwrite what the call was given, so that a result made only now is another."""

    def restore(self, slot: Slot) -> None:
        """Write what was scrambled or turned anew, and leave alone what a call has overwritten."""

    def poison(self, array: Any) -> None:
        """Make sure that what is read later was written later."""

    def problem(self, look: Callable[[], Any], peek: Peek | None = None) -> str | None:
        """What is wrong with the result that `look` shows, where it follows from what was changed.

        `peek`, where there is one, shows elements of it at less cost.
        """
