"""Checks an answer block by block, with few memory passes, under one or several rounding models.

Nearly every element of an honest answer has the bits of the reference, and is neither zero nor subnormal nor NaN:
arithmetic on whole blocks (`kernels.correctness.plain`) sees that at once.  Of the other blocks, only the elements that
are something else go to `kernels.correctness.rules`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from kernels.correctness.notes import Notes, take_notes
from kernels.correctness.plain import Workspace, scaled
from kernels.correctness.rules import Elements, Mask, Question, ulps_and_excuses
from kernels.numbers.floats import Array, bits, blocks, flat_index, is_nan

__all__ = ["Findings", "survey"]

_BLOCK = 1 << 16
"""Elements of a block: with its temporaries it stays in the cache."""
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


def survey(
    questions: Sequence[Question], x: Array, dy: Array | None, result: Array, *, stop: bool
) -> list[Findings]:
    """Hold `result` against each of the questions; all arrays agree in shape and dtype.

    Each element of the result is read once, whatever the number of questions: it may still be under way.  With `stop` a
    question ends at its first block with a wrong element, and the pass with the last question.
    """
    found = [Findings(question.model) for question in questions]
    asked = list(zip(questions, found, strict=True))
    source, workspace = x if dy is None else dy, Workspace(x.dtype, min(x.size, _BLOCK))
    for block in blocks(x.shape, _BLOCK):
        given = [np.ascontiguousarray(array[block]).reshape(-1) for array in (x, source)]
        parts = (*given, workspace.settled(result[block]))
        for question, findings in asked:
            if not workspace.plain(question, *parts):
                _look(findings, question, parts, block, x.shape)
        if stop:
            asked = [each for each in asked if not each[1].wrong]
            if not asked:
                break
    return found


def _look(
    found: Findings,
    question: Question,
    parts: tuple[Array, ...],
    block: tuple[slice, ...],
    shape: tuple[int, ...],
) -> None:
    where = _worth_a_look(question, *parts)
    if where.size == 0:
        return
    elements = Elements(question, *(part[where] for part in parts))
    _count(found, elements, where, block, shape)
    take_notes(elements, found.notes)


def _worth_a_look(question: Question, x: Array, source: Array, result: Array) -> Array:
    """Indices of the elements that differ from the reference, or that there is something to note about."""
    form = question.form
    negative = x.view(form.signed) >> (form.width - 1)  # all ones where the sign is set
    came, went = source.view(form.signed), result.view(form.signed)
    if question.scales:
        other = scaled(question, source).view(form.signed)
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
