"""Checks an answer block by block, with few memory passes, under one rounding model.

Nearly every element of an honest answer has the bits of the reference, and is neither zero nor subnormal nor NaN:
integer arithmetic sees that at once.  Only the others go to `kernels.correctness.rules`.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import lru_cache

import numpy as np

from kernels.correctness import reference
from kernels.correctness.notes import Notes, take_notes
from kernels.correctness.rules import Elements, Mask, Question, ulps_and_excuses
from kernels.numbers.floats import Array, bits, blocks, flat_index, is_nan, np_dtype

__all__ = ["Findings", "survey"]

_NOTED_INPUTS = 16_384
"""Of a block's special inputs that have the reference's bits, so many at most are looked at for notes."""
_NOTED_OUTPUTS = 256
"""Likewise of its special outputs, of which a small slope can make every element one."""


@dataclass
class Findings:
    """What a pass found.  `first` is the first wrong element: its flat index, x, dy, got, wanted."""

    model: str
    wrong: int = 0
    max_ulp: float = 0.0
    first: tuple[int, Array, Array, Array, Array] | None = None
    notes: Notes = field(default_factory=dict)


def survey(question: Question, x: Array, dy: Array | None, result: Array, *, stop: bool) -> Findings:
    """Hold `result` against the question; all arrays agree in shape and dtype.

    `stop` ends the pass at the first block with a wrong element.
    """
    found = Findings(question.model)
    source = x if dy is None else dy
    for block in blocks(x.shape):
        parts = [np.ascontiguousarray(array[block]).reshape(-1) for array in (x, source, result)]
        where = _worth_a_look(question, *parts)
        if where.size == 0:
            continue
        elements = Elements(question, *(part[where] for part in parts))
        _count(found, elements, where, block, x.shape)
        take_notes(elements, found.notes)
        if stop and found.wrong:
            break
    return found


def _worth_a_look(question: Question, x: Array, source: Array, result: Array) -> Array:
    """Indices of the elements that differ from the reference, or that there is something to note about."""
    form = question.form
    negative = x.view(form.signed) >> (form.width - 1)  # all ones where the sign is set
    came, went = source.view(form.signed), result.view(form.signed)
    if question.scales:
        other = _scaled(question, source).view(form.signed)
        expected = came ^ ((came ^ other) & negative)
    else:
        expected = came & ~negative
    differs = went != expected
    if not question.scales:
        differs |= is_nan(x)  # the line above takes a negative NaN for a negative number
    special = _special(x, question)
    if question.direction == "backward":
        special |= _special(source, question)
    if question.scales and question.slope != 0:
        outputs = _special(result, question) & ~special & ~differs
        special = special | _thinned(outputs, _NOTED_OUTPUTS)
    return np.flatnonzero(differs | _thinned(special & ~differs, _NOTED_INPUTS))


def _special(values: Array, question: Question) -> Mask:
    """Where `values` are zero, subnormal, infinite or NaN: the exponents with a meaning of their own."""
    form = question.form
    word = bits(values) << form.unsigned.type(1)  # the sign goes; the rest is in the order of the magnitude
    word -= form.unsigned.type(2 * form.smallest_normal)
    return np.asarray(word >= form.unsigned.type(2 * (form.infinity - form.smallest_normal)))


def _thinned(mask: Mask, limit: int) -> Mask:
    """`mask` with about `limit` of its elements at most, evenly spread."""
    chosen = np.flatnonzero(mask)
    if chosen.size <= limit:
        return mask
    thin = np.zeros_like(mask)
    thin[chosen[:: -(-chosen.size // limit)]] = True
    return thin


def _scaled(question: Question, source: Array) -> Array:
    if question.form.width > 16:
        return reference.scale(source, question.slope, question.model)
    return _products(question.form.name, question.slope, question.model)[bits(source)]


@lru_cache(maxsize=8)
def _products(dtype_name: str, slope: float, model: str) -> Array:
    """The reference's product for each of the 65,536 patterns of a 16-bit dtype."""
    every = np.arange(1 << 16, dtype=np.uint16).view(np_dtype(dtype_name))
    return reference.scale(every, slope, model)


def _count(
    found: Findings, elements: Elements, where: Array, block: tuple[slice, ...], shape: tuple[int, ...]
) -> None:
    ulps, excused = ulps_and_excuses(elements)
    judged = ~excused
    wrong = np.flatnonzero((ulps != 0) & judged)
    found.max_ulp = max(found.max_ulp, float(ulps[judged].max(initial=0.0)))
    found.wrong += wrong.size
    if wrong.size == 0:
        return
    index = flat_index(int(where[wrong[0]]), block, shape)
    if found.first is None or index < found.first[0]:
        e, i = elements, int(wrong[0])
        found.first = (index, e.raw_x[i], e.raw_source[i], e.raw_result[i], e.raw_wanted[i])
