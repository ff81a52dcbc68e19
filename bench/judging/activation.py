"""The gate of an activation: special values laced into its inputs, and every element judged by the policy."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from functools import partial
from itertools import chain
from typing import Any

import numpy as np

from bench.arrays.call_ring import Slot, Slots
from bench.arrays.inputs import Inputs
from bench.judging.diagnosis import Operands, spoil_free_memory, trick
from bench.judging.gate import Gate, GateReport
from bench.judging.plants import Expected, Plants
from kernels.api import Case
from kernels.correctness import policy
from kernels.correctness.learnt import judge_slope_gradient, slope_gradient_of
from kernels.numbers import host_arrays
from kernels.numbers.floats import blocks
from kernels.numbers.ulp import same_bits

__all__ = ["ActivationGate"]

_MOST_PASSES = 8
"""Passes that a small case takes until every special value has stood somewhere, at most."""
_MOST_LIVE = 256
"""Results that are kept at once to see whether they share memory, at most."""
_LIVE_BYTES = 4 << 20
"""Their bytes together, at most."""


class ActivationGate(Gate[Slots, Plants]):
    """ReLU and its like, element by element."""

    def __init__(self, slots: Slots, expected: Expected | None = None) -> None:
        super().__init__(slots, Plants(slots.case, slots.inputs), expected)
        self._lacing = _Lacing(slots.case, slots.inputs)

    def trials(self) -> Iterator[AbstractContextManager[None]]:
        """The special values, as many passes as they need; where NaN hides a sum, the pristine inputs before them."""
        plain = [self._pristine()] if self.slots.case.two_results and not self.is_control else []
        return chain(plain, map(self._laced, range(self._lacing.passes)))

    def beside(self, slot: Slot) -> str | None:
        """The gradient of a slope that is learnt."""
        case, inputs = self.slots.case, self.inputs
        if not case.two_results or self.is_control:
            return None
        assert inputs.dy is not None, "the direction is backward"
        found = slope_gradient_of(self.backend, slot.call)
        return judge_slope_gradient(case, inputs.x, inputs.dy, found).problem

    @contextmanager
    def _pristine(self) -> Iterator[None]:
        slots, slot = self.slots, self.slots.ring[0]
        if slots.case.placement == "inplace":  # the first execution has overwritten them
            slots.refill(slot)
        yield

    @contextmanager
    def _laced(self, number: int) -> Iterator[None]:
        slots, slot, lacing = self.slots, self.slots.ring[0], self._lacing
        try:
            lacing.put(number)
            lacing.renew(slots, slot)
            if slot.out is not None:
                host_arrays.poison(slot.out)
                slots.hand_over(slot)
            elif slots.case.placement == "new":
                spoil_free_memory(slots.case)
                slots.spoil_free_memory()
            yield
        finally:
            lacing.take_out()
            lacing.renew(slots, slot)

    def judge(self, output: Any) -> GateReport:
        """By the policy; a control arm by what it says that it copies."""
        case, inputs, expected = self.slots.case, self.inputs, self.expected
        if expected is None:
            judgement = policy.judge(case, inputs.x, inputs.dy, output)
            return GateReport(judgement.problem, judgement.max_ulp, policy.describe(judgement))
        return _as_copied(expected, case, (inputs.x, inputs.dy), output)

    def most_live(self, slot: Slot) -> int:
        """As many as fit into some megabytes."""
        case = self.slots.case
        if case.placement != "new" or not slot.aliased:
            return 0
        return max(1, min(_MOST_LIVE, _LIVE_BYTES // (case.n * case.itemsize)))

    def explained(self, result: Any, problem: str) -> str:
        """By what the result would be right for."""
        if self.is_control:
            return problem
        lacing, look = self._lacing, partial(self.look, result)
        return trick(self.slots.case, lacing.operands, [lacing.earlier()], look, problem)

    def merged(self, reports: list[GateReport]) -> GateReport:
        """All that the passes noticed, and the largest error."""
        notes = dict.fromkeys(
            note for report in reports for note in report.special_values.split("; ") if note
        )
        if len(notes) > 1:
            notes.pop("model=exact", None)  # a pass without negative values fits every model
        ulps = [report.max_ulp for report in reports if report.max_ulp is not None]
        return GateReport(reports[-1].problem, max(ulps, default=None), "; ".join(notes))


def _as_copied(expected: Expected, case: Case, operands: Operands, output: Any) -> GateReport:
    """Of a copy, which is made anew and compared block by block, in memory that stays in the cache."""
    x, dy = operands
    for block in blocks(x.shape):
        wanted = expected(case, x[block], None if dy is None else dy[block])
        if wanted is None:
            return GateReport(None)
        if output.shape != x.shape or not same_bits(wanted, output[block]):
            whole = expected(case, x, dy)
            return GateReport(None if whole is None else policy.unchanged(whole, output), 0.0)
    return GateReport(None, 0.0)


class _Lacing:
    """Special values written over some elements of the pristine inputs, and taken out again."""

    def __init__(self, case: Case, inputs: Inputs) -> None:
        self._inputs = inputs
        special = host_arrays.specials(case.dtype)
        plain = np.resize(np.array([0.75, -1.25], special.dtype), special.size)
        # Of two operands each meets the specials while the other is plain.
        backward = case.arrays > 1
        self._x = np.stack([special, plain], axis=1).reshape(-1) if backward else special
        self._dy = np.stack([plain, special], axis=1).reshape(-1)
        self.passes = min(_MOST_PASSES, -(-self._x.size // max(case.n, 1)))
        self._kept: list[tuple[np.ndarray, Any, np.ndarray]] = []
        self._places: list[tuple[np.ndarray, Any]] = []

    def put(self, number: int) -> None:
        """Write the special values of pass `number`."""
        n, size = self._inputs.x.size, self._x.size
        window = np.arange(number * n, number * n + min(n, size)) % size
        count = np.arange(window.size)
        # NaN leads the special values, so the last window runs backwards: NaN has to reach scalar tails too.
        for flat in (count, n // 2 + count, n - 1 - count) if n >= 3 * size else (count,):
            where = np.unravel_index(flat, self._inputs.x.shape)
            self._write(self._inputs.x, where, self._x[window])
            if self._inputs.dy is not None:
                self._write(self._inputs.dy, where, self._dy[window])

    def _write(self, array: np.ndarray, where: Any, values: np.ndarray) -> None:
        self._kept.append((array, where, array[where]))
        self._places.append((array, where))
        array[where] = values

    @property
    def operands(self) -> Operands:
        """The inputs as they are now, laced."""
        return self._inputs.x, self._inputs.dy

    def earlier(self) -> Operands:
        """Copies of the inputs as they are without the lacing: what the calls before were given."""
        copies = {id(a): a.copy() for a in (self._inputs.x, self._inputs.dy) if a is not None}
        for array, where, values in reversed(self._kept):
            copies[id(array)][where] = values
        return copies[id(self._inputs.x)], copies.get(id(self._inputs.dy))

    def take_out(self) -> None:
        """Write back what was there."""
        for array, where, values in reversed(self._kept):
            array[where] = values
        self._kept.clear()

    def renew(self, slots: Slots, slot: Slot) -> None:
        """Bring the slot's inputs up to the pristine ones; only what is laced where nothing else can differ.

        Inputs that no call overwrites are compared after each pass: what has changed them is found.
        """
        if slots.case.placement == "inplace" or not slot.aliased:
            slots.refill(slot)
            return
        for array, where in self._places:
            copy = slot.x if array is self._inputs.x else slot.dy
            assert copy is not None, "there is one for each input"
            copy[where] = array[where]
        if not self._kept:
            self._places.clear()
