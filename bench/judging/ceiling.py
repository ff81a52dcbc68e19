"""How fast the bytes of a case can be moved at all: what beats it by far has not moved them.

The control arms copy the same bytes in the same experiment.  Where their rounds do not agree, others had the memory
meanwhile, and the fastest copy of the run so far bounds the case, of the same kind and of no more bytes: per byte,
fewer are never slower.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from kernels.api import Case

__all__ = ["Copies", "Limit"]

_STEADY = 1.25
"""Copies agree if the lower quartile of their rounds is at most so many times the fastest one."""
_FEWEST = 3
"""Rounds that a copy needs: with fewer nothing tells whether it was disturbed."""
_DISTURBED = 4.0
"""By so much copies may have been slowed by others, where nothing else bounds the case: two who share a memory bus
and a core each leave a quarter."""
_ABOVE = {"new": 10.0, "out": 1.6, "inplace": 1.6}
"""A cell may pass the limit by this factor: a copy has few rounds, which a slow spell may all have hit (honest cells
have passed theirs by 1.4), and for `new` it pays for fresh memory, which a backend that recycles its results does not.
Who does not move the bytes is faster by far, and is looked at in other ways, too."""
_CALLS = 20
"""A copy that takes less than so many empty calls says nothing of how fast memory is."""

Kind = tuple[object, ...]


@dataclass(frozen=True, slots=True)
class Limit:
    """Seconds that the bytes of a case take at least; None where nothing bounds them, and `unchecked` says why."""

    seconds: float | None
    unchecked: str = ""

    def beaten(self, placement: str, longest_s: float, floor_s: float) -> str | None:
        """Why a call that takes at most `longest_s` cannot have moved the bytes; None if it can.

        `floor_s` is what an empty call takes.
        """
        seconds = self.seconds
        if seconds is None or seconds < _CALLS * floor_s or longest_s * _ABOVE[placement] >= seconds:
            return None
        return (
            f"{seconds / longest_s:.2f} times as fast as the fastest copy of the same bytes "
            f"({longest_s:.3g} s against {seconds:.3g} s): it cannot have moved them"
        )


class Copies:
    """The fastest copies of a run."""

    def __init__(self) -> None:
        self._best: dict[Kind, list[tuple[int, float]]] = {}

    def limit(self, case: Case, copies: Sequence[Sequence[float]]) -> Limit:
        """What bounds a case, by the rounds of each of its copies (seconds per call) and by the cases before.

        They are remembered for the cases after it.
        """
        rounds = [copy for copy in copies if len(copy)]
        before = self._bound(case)
        if rounds:
            fastest = min(map(min, rounds))
            self._best.setdefault(_kind(case), []).append((case.bytes_moved, fastest))
            if all(_agree(copy) for copy in rounds):
                return Limit(fastest)
            return Limit(fastest / _DISTURBED if before is None else min(fastest, before))
        if before is not None:
            return Limit(before)
        return Limit(None, "no copy of the same bytes was timed: whether the arm moved them is not checked")

    def _bound(self, case: Case) -> float | None:
        """By copies of no more bytes in the cases before."""
        moved = case.bytes_moved
        return min(
            (
                moved / size * seconds
                for size, seconds in self._best.get(_kind(case), [])
                if 0 < size <= moved
            ),
            default=None,
        )


def _agree(rounds: Sequence[float]) -> bool:
    return len(rounds) >= _FEWEST and bool(np.quantile(rounds, 0.25) <= _STEADY * min(rounds))


def _kind(case: Case) -> Kind:
    """Cases whose copies are alike but for the number of bytes."""
    return case.device, case.direction, case.placement, case.layout, case.cache, case.threads
