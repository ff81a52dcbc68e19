"""Did the arm really do the work, each time?

Before every batch a few elements of the input are changed (the plants), so the result must change with them.  The
memory of the results is poisoned.  Right after the calls those elements are checked.  This costs little, and finds
results that are remembered, late, or never written.  Somewhere in a batch a few of them change once more, between two
calls.  The whole result is judged once more after the last round.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from itertools import chain, repeat
from typing import Any, Protocol, runtime_checkable

import numpy as np

from bench.arrays.call_ring import Slot
from bench.arrays.inputs import Inputs
from bench.arrays.slot import Peek
from bench.judging.diagnosis import Array, Operands, host_view, trick
from kernels.api import Backend, Case
from kernels.correctness import policy
from kernels.numbers import host_arrays
from kernels.numbers.floats import bits, format_of

__all__ = ["Control", "Expected", "Plants", "output_of", "share_memory"]

_COUNT = 64
"""Elements that are changed, at most."""
_TURNED = 2
"""Plants that change between two calls: few, since the next call waits for them, and it could tell from that."""
_NOT_FINITE = (np.nan, np.inf, -np.inf)
"""What one of them becomes: who handles these only where a call comes alone is found."""
_MARGINS = (0, 1, 4, 16)
"""Elements at each end that are left alone: an arm may watch the ends of its input, or some elements there."""


Expected = Callable[[Case, Array, Array | None], Array | None]
"""What has to come of `x` and `dy` in a case, bit for bit; None where that is not looked at."""


@runtime_checkable
class Control(Protocol):
    """A control arm, which copies instead of computing: the only one that is asked what has to come out.

    Who is one is said by the coordinator, which has given the arm its role.  A plugin that had such a method would
    judge itself.
    """

    def expected(self, case: Case, x: Array, dy: Array | None) -> Array | None:
        """See `Expected`."""


class Plants:
    """The elements that are changed from round to round, and what has to come of them.

    Other elements each time, drawn from the system's entropy; many of a small tensor or few, with its
    ends or without: what an arm could watch instead of its whole input is not foreseeable.
    """

    def __init__(self, case: Case, inputs: Inputs) -> None:
        self.case, self.inputs = case, inputs
        self._rng = np.random.default_rng()
        self._deck: list[int] = []
        special = host_arrays.specials(case.dtype)
        self._special = special
        self._plain = np.resize(np.array([0.75, -1.25], special.dtype), special.size)
        self._flat = np.empty(0, np.intp)
        self._former = self._flat
        self.index = self._former_index = np.unravel_index(self._flat, inputs.x.shape)
        self.x, self.dy = self._pristine()
        self._afterwards: Operands | None = None
        self._unturned: Operands = self.x, self.dy
        self.earlier: list[Operands] = []
        """What the planted elements were before: pristine, and in the last round."""

    def _pristine(self) -> Operands:
        dy = self.inputs.dy
        return self.inputs.x[self.index], None if dy is None else dy[self.index]

    def _margin(self) -> int:
        """How many elements at each end are left alone; each of `_MARGINS` once before one comes again."""
        if not self._deck:
            self._deck = [int(margin) for margin in self._rng.permutation(_MARGINS)]
        return self._deck.pop()

    def _draw(self, margin: int) -> Array:
        n, ends = self.case.n, margin == 0
        margin = min(margin, max(n - 1, 0) // 2)
        low, high = margin, n - margin
        count = _COUNT if self._rng.integers(2) else max(1, min(_COUNT, n // 16))
        if high - low <= 4 * _COUNT:
            flat = self._rng.permutation(np.arange(low, high))[:count]
        else:
            flat = self._rng.integers(low, high, count)
        if ends and flat.size > 1:
            flat[:2] = 0, n - 1
        return np.array(sorted(set(flat.tolist())), np.intp)

    def change(self) -> None:
        """Draw elements and new values for them: the pristine ones scaled into (0.5, 1), some with another sign.

        The kind of number stays, and how many are negative: as many become so as cease to be.
        """
        self._change(self._margin())
        self._scale()
        self._flip()

    def surprise(self) -> None:
        """Draw elements in the interior, and special values for them."""
        self._change(max(self._margin(), 1))
        self._make_special()

    def _change(self, margin: int) -> None:
        former = (self._flat, self.x, self.dy)
        self._afterwards = None
        self._former_index = self.index
        self._flat = self._draw(margin)
        self.index = np.unravel_index(self._flat, self.inputs.x.shape)
        self.x, self.dy = self._pristine()
        self.earlier = [(self.x, self.dy), self._overlaid(former)]

    def _overlaid(self, former: tuple[Array, Array, Array | None]) -> Operands:
        """The pristine values at the elements drawn now, and where these were planted before, the planted."""
        flat, *values = former
        places = {place: then for then, place in enumerate(flat.tolist())}
        both = [(now, places[place]) for now, place in enumerate(self._flat.tolist()) if place in places]
        now, then = map(list, zip(*both, strict=True)) if both else ([], [])
        pristine = [None if value is None else value.copy() for value in (self.x, self.dy)]
        for target, source in zip(pristine, values, strict=True):
            if target is not None and source is not None and both:
                target[now] = source[then]
        return pristine[0], pristine[1]  # type: ignore[return-value]  # x is never None

    def _scale(self) -> None:
        scale = self._rng.uniform(0.5, 1.0, len(self.x))
        with np.errstate(all="ignore"):
            self.x = (self.x.astype(np.float64) * scale).astype(self.x.dtype)
            if self.dy is not None:
                self.dy = (self.dy.astype(np.float64) * scale[::-1]).astype(self.dy.dtype)

    def _flip(self) -> None:
        """Of x, half of the pairs of a positive and a negative number: which are positive is not known from before."""
        with np.errstate(all="ignore"):
            signs = [self._rng.permutation(np.flatnonzero(each)) for each in (self.x < 0, self.x > 0)]
            count = -(-min(map(len, signs)) // 2)
            where = np.concatenate([each[:count] for each in signs])
            self.x[where] = -self.x[where]

    def turn(self, slot: Slot, calls: int) -> list[Iterator[object]]:
        """An element of x, and of dy, with the other sign and a new scale; another one of x becomes NaN or infinite."""
        self._unturned = self.x, self.dy
        self.earlier.append(self._unturned)
        where = self._rng.permutation(len(self.x))[:_TURNED]
        self.x, self.dy = self.x.copy(), None if self.dy is None else self.dy.copy()
        writes: list[Iterator[object]] = []
        for array, values in ((slot.x, self.x), (slot.dy, self.dy)):
            if array is None or values is None:
                continue
            with np.errstate(all="ignore"):
                scale = -self._rng.uniform(0.5, 1.0, len(where))
                values[where] = (values[where].astype(np.float64) * scale).astype(values.dtype)
            if array is slot.x:
                values[where[1:]] = _NOT_FINITE[self._rng.integers(len(_NOT_FINITE))]
            words = bits(array)
            put = words.data.__setitem__
            for i, word in zip(where, bits(values)[where].tolist(), strict=True):
                place = tuple(int(axis[i]) for axis in self.index)
                before = int(words[place])
                writes.append(map(put, repeat(place), chain(repeat(before, calls - 1), (word,))))
        return writes

    def turn_back(self) -> None:
        """The values of the batch again."""
        self.x, self.dy = self._unturned
        self.earlier.pop()
        self._afterwards = None

    def _make_special(self) -> None:
        """In backward one operand is special where the other is plain, as at the gate."""
        picked = self._rng.integers(0, self._special.size, (2, len(self.x)))
        self.x = self._special[picked[0]]
        if self.dy is not None:
            plain_x = self._rng.integers(0, 2, len(self.x), dtype=np.uint8).astype(bool)
            self.x = np.where(plain_x, self._plain[picked[0]], self.x)
            self.dy = np.where(plain_x, self._special[picked[1]], self._plain[picked[1]])

    def put(self, slot: Slot) -> Sequence[Any]:
        """Write the present values into a slot's inputs, and the pristine ones where the last were: there, and here."""
        for array, pristine, planted in ((slot.x, self.inputs.x, self.x), (slot.dy, self.inputs.dy, self.dy)):
            if array is not None and pristine is not None:
                array[self._former_index] = pristine[self._former_index]
                array[self.index] = planted
        return self._former_index, self.index

    def scramble(self, slot: Slot) -> None:
        """After `sync`: overwrite what the call was given, so that a result made only now is another."""
        values = [self.x, self.dy]
        overwritten = slot.overwritten(self.case)
        for number, array in enumerate((slot.x, slot.dy)):
            if array is not None and array is not overwritten:
                values[number] = np.full(len(self.x), 0.8125 - 0.125 * number, array.dtype)
                array[self.index] = values[number]
        self._afterwards = values[0], values[1]  # type: ignore[assignment]  # x is never None

    def restore(self, slot: Slot) -> None:
        """After `scramble` or `turn`: write the present values again where no call has written."""
        overwritten = slot.overwritten(self.case)
        for array, values in ((slot.x, self.x), (slot.dy, self.dy)):
            if array is not None and array is not overwritten:
                array[self.index] = values

    def poison(self, array: Array) -> None:
        """Make sure that what is read later was written later."""
        bits(array)[self.index] = format_of(array.dtype).poison

    def problem(self, look: Callable[[], Any], peek: Peek | None = None) -> str | None:
        """What is wrong with the planted elements of the result that `look` or `peek` shows; names the trick."""
        if peek is None:
            result = look()
            if not isinstance(result, np.ndarray):
                return f"returned {type(result).__name__}, wanted ndarray"
            if result.shape != self.inputs.x.shape:
                return f"returned shape {result.shape}, wanted {self.inputs.x.shape}"
        planted: Callable[[], Any] = (
            (lambda: look()[self.index]) if peek is None else partial(peek, self.index)
        )
        seen = planted()
        if policy.is_reference(self.case, self.x, self.dy, seen):
            return None
        problem = policy.judge(self.case, self.x, self.dy, seen).problem
        if problem is None:
            return None
        problem = f"of {len(self.x)} elements looked at, {problem}"
        return trick(
            self.case,
            (self.x, self.dy),
            self.earlier,
            planted,
            problem,
            afterwards=self._afterwards,
        )


def output_of(backend: Backend, case: Case, slot: Slot, result: Any) -> Any:
    """The array in which the result of a call has to stand: the one given for it, where it can be looked at."""
    overwritten = slot.overwritten(case)
    if overwritten is not None and slot.aliased:
        return overwritten
    return host_view(backend.to_numpy(slot.standing(case, result)))


def share_memory(backend: Backend, first: Any, second: Any) -> bool:
    """Whether two handles or arrays stand in the same host memory."""

    def host(item: Any) -> Array:
        return np.asarray(item if isinstance(item, np.ndarray) else backend.to_numpy(item))

    return bool(np.may_share_memory(host(first), host(second)))
