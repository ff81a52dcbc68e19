"""The gate of any function of an array: its results have to be those of a reference, for more inputs than one.

Which of the inputs comes next is drawn from the system's entropy, so that a result that is remembered is another's.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from typing import Any

import numpy as np

from bench.arrays.call_ring import Slot
from bench.arrays.function_ring import FunctionSlots
from bench.arrays.inputs import Inputs
from bench.arrays.slot import EVERYWHERE, Peek
from bench.judging.gate import Gate, GateReport
from bench.plan.function_case import FunctionCase

__all__ = ["FunctionGate", "FunctionPlants"]

Array = np.ndarray
_LOOKED_AT = 64
"""Elements of a result that are looked at after each batch, about; all of them are at the gate and at the end."""
_CHUNK = 1 << 18
"""Elements that are compared at a time."""
_LIVE = 8
"""Results that are kept at once to see whether they share memory."""


class FunctionPlants:
    """Which of the inputs is there; all of an input changes at once."""

    dy: Array | None = None

    def __init__(
        self, case: FunctionCase, inputs: Inputs, variants: Sequence[Array], results: Sequence[Array]
    ) -> None:
        self._case, self._inputs, self._variants, self._results = case, inputs, variants, results
        self._rng = np.random.default_rng()
        self._now = 0
        self.index = np.empty(0, np.intp)
        self.x = inputs.x[self.index]

    @property
    def wanted(self) -> Array:
        """What is right now."""
        return self._results[self._now]

    def choose(self, number: int) -> None:
        """Make that input the present one."""
        self._now = number
        self._inputs.x = self._variants[number]

    def change(self) -> None:
        """Another of the inputs, if there is one."""
        others = [number for number in range(len(self._variants)) if number != self._now]
        self.choose(int(self._rng.choice(others)) if others else self._now)

    surprise = change

    def put(self, slot: Slot) -> Sequence[Any]:
        """Write all of the present input."""
        self.restore(slot)
        return (EVERYWHERE,)

    def restore(self, slot: Slot) -> None:
        """The same."""
        slot.x[...] = self._inputs.x

    def turn(self, slot: Slot, calls: int) -> list[Iterator[object]]:
        """Nothing: a whole input is too much to write between two calls."""
        return []

    def turn_back(self) -> None:
        """Nothing was turned."""

    def scramble(self, slot: Slot) -> None:
        """One of its own numbers everywhere, so that a function's domain is kept."""
        slot.x.fill(self._inputs.x.flat[self._inputs.x.size // 2])

    def poison(self, array: Array) -> None:
        """NaN everywhere."""
        array.fill(np.nan)

    def problem(self, look: Callable[[], Any], peek: Peek | None = None) -> str | None:
        """What is wrong with some elements of the result that `look` shows."""
        found, wanted = look(), self.wanted
        problem = _kind(self._case, found)
        if problem is None and wanted.size:
            flat = np.append(self._rng.integers(0, wanted.size, _LOOKED_AT), (0, wanted.size - 1))
            where = np.unravel_index(flat, wanted.shape) if wanted.ndim else ()
            problem = _compared(self._case, found[where], wanted[where])
        return problem


class FunctionGate(Gate[FunctionSlots, FunctionPlants]):
    """Calls the function with each of the inputs."""

    def trials(self) -> Iterator[AbstractContextManager[None]]:
        """One input after the other; in the end the user's own, which is the first, again."""
        yield from map(self._given, range(self.slots.case.variants))
        self._choose(0)

    @contextmanager
    def _given(self, number: int) -> Iterator[None]:
        self._choose(number)
        yield

    def _choose(self, number: int) -> None:
        self.plants.choose(number)
        self.slots.refill(self.slots.ring[0])

    def judge(self, output: Any) -> GateReport:
        """Shape, dtype and every element, within what is allowed."""
        case, wanted = self.slots.case, self.plants.wanted
        problem = _kind(case, output)
        if problem is None:
            found, right = output.reshape(-1), wanted.reshape(-1)
            parts = range(0, right.size, _CHUNK)
            problems = (_compared(case, found[i : i + _CHUNK], right[i : i + _CHUNK], i) for i in parts)
            problem = next((each for each in problems if each), None)
        return GateReport(problem)

    def most_live(self, slot: Slot) -> int:
        """A few; into a given array they all lie there."""
        return _LIVE if slot.aliased and self.slots.case.placement == "new" else 0


def _kind(case: FunctionCase, found: Any) -> str | None:
    if not isinstance(found, np.ndarray):
        return f"returned {type(found).__name__}, wanted ndarray"
    if found.shape != case.result_shape or found.dtype.name != case.result_dtype:
        return f"returned shape {found.shape}, {found.dtype}; wanted shape {case.result_shape}, {case.result_dtype}"
    return None


def _compared(case: FunctionCase, found: Array, wanted: Array, first: int | None = None) -> str | None:
    """What is wrong with elements; the first of them is number `first` of the result, where that can be told."""
    got, right = np.atleast_1d(found).astype(np.float64), np.atleast_1d(wanted).astype(np.float64)
    with np.errstate(all="ignore"):
        near = np.abs(got - right) <= case.atol + case.rtol * np.abs(right)
    wrong = np.flatnonzero(~(near | (got == right) | (np.isnan(got) & np.isnan(right))))
    if not wrong.size:
        return None
    where = int(wrong[0])
    place = "an element" if first is None else f"element {first + where}"
    return (
        f"{place} is {got[where]:.9g}, wanted {right[where]:.9g} (rtol {case.rtol:g}, atol {case.atol:g}); "
        f"{wrong.size} of {got.size} looked at differ"
    )
