"""The gate: no arm is timed before its results are proved right, nor believed unless they still are.

Before the first timed round the case's own callable runs on inputs laced with special values
and everything that the policy judges is compared, element by element.  After the last round the
timed output itself is judged, and the callable is tried with tricks in mind.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import numpy as np

from bench.arrays.call_ring import Slot, Slots
from bench.arrays.inputs import Inputs
from bench.judging.diagnosis import Operands, host_view, overlap, spoil_free_memory, trick
from bench.judging.plants import Plants, expected_by, output_of, share_memory
from kernels.api import Backend, Case
from kernels.correctness import policy
from kernels.numbers import host_arrays

__all__ = ["GateReport", "after", "before"]

_MOST_PASSES = 8
_MOST_LIVE = 256
_LIVE_BYTES = 4 << 20
"""So many results, or bytes of them, are kept at once to see whether they share memory."""


@dataclass(frozen=True, slots=True)
class GateReport:
    """What the gate saw: `problem` is None if the arm may pass."""

    problem: str | None
    max_ulp: float | None = None
    special_values: str = ""


class _Lacing:
    """Special values written over some elements of the pristine inputs, and taken out again."""

    def __init__(self, case: Case, inputs: Inputs) -> None:
        self._inputs = inputs
        special = host_arrays.specials(case.dtype)
        plain = np.resize(np.array([0.75, -1.25], special.dtype), special.size)
        # In backward each operand meets the specials while the other is plain.
        backward = case.direction == "backward"
        self._x = np.stack([special, plain], axis=1).reshape(-1) if backward else special
        self._dy = np.stack([plain, special], axis=1).reshape(-1)
        self.passes = min(_MOST_PASSES, -(-self._x.size // max(case.n, 1)))
        self._kept: list[tuple[np.ndarray, Any, np.ndarray]] = []
        self._places: list[tuple[np.ndarray, Any]] = []

    def put(self, number: int) -> None:
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


def _judge(backend: Backend, case: Case, inputs: Inputs, result: Any) -> GateReport:
    expected = expected_by(backend)
    if expected is None:
        settled = inputs.settled(result) if isinstance(result, np.ndarray) else result
        judgement = policy.judge(case, inputs.x, inputs.dy, settled)
        return GateReport(judgement.problem, judgement.max_ulp, policy.describe(judgement))
    wanted = expected(case, inputs.x, inputs.dy)
    if wanted is None:
        return GateReport(None)
    return GateReport(policy.unchanged(np.ascontiguousarray(wanted), np.ascontiguousarray(result)), 0.0)


def _inputs_touched(backend: Backend, case: Case, inputs: Inputs, slot: Slot) -> str | None:
    for number, (name, before, after) in enumerate((("x", inputs.x, slot.x), ("dy", inputs.dy, slot.dy))):
        if before is None or after is None or after is slot.overwritten(case):
            continue
        if slot.in_step:  # what a call can write to is the copy
            after = host_view(backend.to_numpy(slot.handles[number]))  # noqa: PLW2901
        changed = policy.unchanged(before, after)
        if changed:
            return f"writes into its input {name}: {changed}"
    return None


def before(backend: Backend, case: Case, slots: Slots) -> GateReport:
    """Judge the callable on inputs laced with special values; the slots end up pristine."""
    slot, lacing = slots.ring[0], _Lacing(case, slots.inputs)
    reports = []
    for number in range(lacing.passes):
        try:
            lacing.put(number)
            lacing.renew(slots, slot)
            if slot.out is not None:
                host_arrays.poison(slot.out)
            elif case.placement == "new":
                spoil_free_memory(case)
            result = slot.call()
            backend.sync(result)
            report = _judge(backend, case, slots.inputs, _host(backend, result))
            problem = (
                _inputs_touched(backend, case, slots.inputs, slot)
                or _misplaced(backend, case, slot, result)
                or _explained(backend, case, lacing, result, report.problem)
            )
        finally:
            lacing.take_out()
            lacing.renew(slots, slot)
        reports.append(replace(report, problem=problem))
        if problem:
            break
    return _merge(reports)


def _explained(backend: Backend, case: Case, lacing: _Lacing, result: Any, problem: str | None) -> str | None:
    if problem is None or expected_by(backend) is not None:
        return problem
    look = partial(_host, backend, result)
    return trick(case, lacing.operands, [lacing.earlier()], look, problem)


def _host(backend: Backend, result: Any) -> Any:
    return host_view(backend.to_numpy(result))


def _merge(reports: list[GateReport]) -> GateReport:
    """All that the passes noticed; only the last can have a problem."""
    notes = dict.fromkeys(note for report in reports for note in report.special_values.split("; ") if note)
    if len(notes) > 1:
        notes.pop("model=exact", None)  # a pass without negative values fits every model
    ulps = [report.max_ulp for report in reports if report.max_ulp is not None]
    return GateReport(reports[-1].problem, max(ulps, default=None), "; ".join(notes))


def _misplaced(backend: Backend, case: Case, slot: Slot, result: Any) -> str | None:
    """Whether the result stands where the placement says; only seen where handles alias the host."""
    if not slot.aliased or case.n == 0:
        return None
    overwritten = slot.overwritten(case)
    if overwritten is not None:
        if share_memory(backend, result, overwritten):
            return None
        return f"allocates its result although placement is {case.placement!r}"
    if share_memory(backend, result, slot.x) or (
        slot.dy is not None and share_memory(backend, result, slot.dy)
    ):
        return "returns memory of its input although placement is 'new'"
    return None


def after(backend: Backend, case: Case, slots: Slots, plants: Plants, last: tuple[Slot, Any]) -> GateReport:
    """Judge the timed output, then call again with what an arm may be watching for left out."""
    slot, result = last
    with _planted(slots.inputs, plants):
        report = _judge(backend, case, slots.inputs, output_of(backend, case, slot, result))
        touched = _inputs_touched(backend, case, slots.inputs, slot)
    if report.problem:
        return GateReport(f"the timed output is wrong: {report.problem}", report.max_ulp)
    if touched or case.n == 0 or expected_by(backend) is not None:
        return GateReport(touched)
    problem = _wrong_when_unforeseen(backend, case, slots, plants, (slot, result))
    return GateReport(problem or _shared(backend, case, slot, result))


@contextmanager
def _planted(inputs: Inputs, plants: Plants) -> Iterator[None]:
    """The pristine inputs with the plants in them, for the time of a comparison."""
    kept = [(array, array[plants.index]) for array in (inputs.x, inputs.dy) if array is not None]
    try:
        for (array, _), values in zip(kept, (plants.x, plants.dy), strict=False):
            array[plants.index] = values
        yield
    finally:
        for array, values in kept:
            array[plants.index] = values


def _wrong_when_unforeseen(
    backend: Backend, case: Case, slots: Slots, plants: Plants, last: tuple[Slot, Any]
) -> str | None:
    """Special values where none are looked for, no end changed, nothing left of earlier results.

    What the call was given is overwritten after `sync`, when the result has to be there, and before
    the result is looked at.
    """
    slot, earlier = last
    plants.change(special=True)
    slots.refill(slot, plants.put)
    place = output_of(backend, case, slot, earlier)
    if case.placement != "inplace" and place.flags.writeable:
        host_arrays.poison(place)
    result = slot.call()
    backend.sync(result)
    if slot.aliased:
        plants.scramble(slot)
    look = partial(output_of, backend, case, slot, result)
    problem = plants.problem(look)
    if problem is None:
        with _planted(slots.inputs, plants):
            problem = _judge(backend, case, slots.inputs, look()).problem
    return problem and f"passed the gate, but not a call that looked like a timed one: {problem}"


def _shared(backend: Backend, case: Case, slot: Slot, result: Any) -> str | None:
    """Whether results that live at the same time share memory."""
    if case.placement != "new" or not slot.aliased:
        return None
    live = [result]
    nbytes = case.n * case.itemsize
    for _ in range(max(1, min(_MOST_LIVE, _LIVE_BYTES // nbytes))):
        live.append(slot.call())
        backend.sync(live[-1])
    if not overlap([_host(backend, each) for each in live]):
        return None
    return f"returns an earlier result's memory again: of {len(live)} results alive, some share memory"
