"""The verdict on an answer: right, or wrong and where; and what is only reported.

The policy.  Judged: shape, dtype, every element written, NaN exactly where it came in, infinities;
relu to 0 ULP; leaky_relu to 0 ULP against one rounding model for the whole array (`reference`
describes A, B and C); gradients likewise where x is neither 0 nor NaN.  Reported only: the sign
of zero, the NaN payload, whatever has a subnormal for input or output (there, any result up to
the smallest normal is accepted), ``leaky(-inf, slope 0)``, slopes inf and NaN, 0 times a dy that
is not finite, and the gradient's convention at 0 and NaN.  No tolerance loosens any of it.

Other ops are computed, not selected: each says what error is allowed, and why (`bounded`).
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from kernels.api import Case
from kernels.correctness import reference
from kernels.correctness.bounded import allowed_ulps, survey_bounded
from kernels.correctness.rules import Question
from kernels.correctness.survey import Findings, survey
from kernels.numbers.floats import Array, bits, blocks, flat_index, format_of, np_dtype
from kernels.numbers.host_arrays import is_poison
from kernels.numbers.ulp import ulp_distance
from kernels.ops import exact_op, op_of
from kernels.ops.formula import Formula

__all__ = ["Judgement", "describe", "is_reference", "judge", "unchanged"]


@dataclass(frozen=True, slots=True)
class Judgement:
    """What `judge` found.

    problem  None if the answer keeps the policy, else one line: what, first bad index, input, got, wanted
    max_ulp  the largest distance from `model` over the judged elements; inf where NaN meets a number
    model    "exact" where every model gives the same (relu; a slope that rounds nowhere), "A", "B", "C",
             or "" where none fits; "within 4 ULP" of an op that has a bound
    notes    differences that the policy reports, by special value; only those that the input shows
    """

    problem: str | None
    max_ulp: float
    model: str
    notes: dict[str, str] = field(default_factory=dict)


def judge(case: Case, x: Array, dy: Array | None, result: object, *, first: str = "A") -> Judgement:
    """Hold `result` against the policy, for `case.op`, `direction`, `dtype` and `negative_slope`.

    `x` and `dy` are the inputs as they were before the call, of any one shape and any strides; `dy` is None for
    forward, or the second input of an op that has two.  `case.n` and `case.layout` are not looked at.  `first` is the
    rounding model to try first, for arrays too small to tell.  Memory beyond the arguments: a few MB.  A `result`
    that is still being written is judged as it is when it is read, once.

    Raises ValueError if `x` and `dy` do not fit the case: the inputs are the caller's own.
    """
    _check_inputs(case, x, dy)
    problem = _wrong_form(x, result)
    if problem or not isinstance(result, np.ndarray):
        return Judgement(problem, np.inf, "")
    op = op_of(case.op)
    if isinstance(op, Formula):
        seen = survey_bounded(op, case, x, dy, result)
        sentence = _sentence(case, x, dy, seen) if seen.wrong else None
        return Judgement(sentence, seen.max_ulp, "" if seen.wrong else seen.model, _joined(seen))
    questions = sorted(_questions(case), key=lambda question: question.model != first)
    at_first = survey(questions, x, dy, result, stop=True)
    for found in at_first:
        if not found.wrong:
            exact = "exact" if _all_agree(case) else found.model
            return Judgement(None, found.max_ulp, exact, _joined(found))
    in_full = survey(questions, x, dy, result, stop=False)
    # A result that was still being written may be right by now.
    best = min((f for f in in_full if f.wrong), key=_badness, default=min(at_first, key=_badness))
    return Judgement(_sentence(case, x, dy, best), best.max_ulp, "", _joined(best))


def is_reference(case: Case, x: Array, dy: Array | None, result: object) -> bool:
    """Whether `result` has every bit of the right answer under one rounding model, so that `judge` finds no problem.

    Of few elements that is known sooner than a judgement.  False says nothing: the policy allows more, and ops that
    have a bound are not looked at.
    """
    if isinstance(op_of(case.op), Formula) or _wrong_form(x, result) or not isinstance(result, np.ndarray):
        return False
    source, seen, asked = x if dy is None else dy, bits(result.copy()), _questions(case)
    if (seen == asked[0].form.poison).any():  # an input may be the poison, and be passed on
        return False
    return any(bool((bits(question.wanted(source, x)) == seen).all()) for question in asked)


def _badness(found: Findings) -> tuple[int, float]:
    return found.wrong, found.max_ulp


def describe(judgement: Judgement) -> str:
    """The `special_values` column: ``model=A; relu(-0)=-0; subnormals=flushed``, the names sorted."""
    model = [f"model={judgement.model}"] if judgement.model else []
    return "; ".join(model + [f"{name}={answer}" for name, answer in sorted(judgement.notes.items())])


def unchanged(before: Array, after: Array) -> str | None:
    """None if `after` has every bit of `before`, else one line that names the first difference."""
    if before.shape != after.shape or before.dtype != after.dtype:
        return f"{before.dtype} of shape {before.shape} became {after.dtype} of shape {after.shape}"
    old, new = bits(before), bits(after)
    count, first = 0, before.size
    for block in blocks(before.shape):
        differs = old[block] != new[block]
        if differs.any():
            count += int(differs.sum())
            inside = int(np.flatnonzero(differs)[0])
            first = min(first, flat_index(inside, block, before.shape))
    if count == 0:
        return None
    was, now = (_show(array[_place(first, array.shape)]) for array in (before, after))
    return f"{_where(first, before.shape)} {was} became {now} ({count} of {before.size} elements changed)"


def _check_inputs(case: Case, x: Array, dy: Array | None) -> None:
    if (dy is None) != (case.arrays == 1):
        raise ValueError(f"dy is {'missing' if dy is None else 'given'}; direction is {case.direction!r}")
    for name, array in (("x", x), ("dy", dy)):
        if array is not None and array.dtype != np_dtype(case.dtype):
            raise ValueError(f"{name} is {array.dtype}; the case says {case.dtype}")
    if dy is not None and dy.shape != x.shape:
        raise ValueError(f"dy has shape {dy.shape} and x {x.shape}; they must be the same")


def _wrong_form(x: Array, result: object) -> str | None:
    if not isinstance(result, np.ndarray):
        return f"returned {type(result).__name__}, wanted ndarray of {x.dtype}"
    if result.dtype != x.dtype:
        return f"changes the dtype: returned {result.dtype}, wanted {x.dtype}"
    if result.shape != x.shape:
        return f"changes the shape: returned {result.shape}, wanted {x.shape}"
    return None


def _questions(case: Case) -> list[Question]:
    form = format_of(np_dtype(case.dtype))
    names = ("A",) if _all_agree(case) else reference.models(form.dtype)
    return [Question(case.op, case.direction, case.negative_slope, form, name) for name in names]


def _all_agree(case: Case) -> bool:
    """Whether no model rounds the slope, so that all give the same (float64 has one; float32 would round)."""
    if not exact_op(case.op).scales:
        return True
    narrow = np.dtype(np.float32) if case.dtype == "float64" else np_dtype(case.dtype)
    with np.errstate(over="ignore", under="ignore"):
        return float(narrow.type(case.negative_slope)) == case.negative_slope


def _joined(found: Findings) -> dict[str, str]:
    return {name: "|".join(sorted(answers)) for name, answers in sorted(found.notes.items())}


def _sentence(case: Case, x: Array, dy: Array | None, found: Findings) -> str:
    """One line about a wrong answer: what, where, what came in, what came out, what was wanted, how many."""
    if found.first is None:
        raise AssertionError("a sentence about a wrong answer was asked for a right one")
    index, x_value, source, got, wanted = found.first
    other = "dy" if case.direction == "backward" else "r"
    inputs = f"x={_show(x_value)}" + (f" {other}={_show(source)}" if dy is not None else "")
    written = not is_poison(got)
    gave = f"gave {_show(got)}" if written else "was never written"
    what = _what(case, source, got, wanted, found.model) if written else "left unwritten"
    count = f"{found.wrong} of {x.size} elements wrong"
    return f"{what}: {_where(index, x.shape)} {inputs} {gave}, wanted {_show(wanted)} ({count})"


def _what(case: Case, source: Array, got: Array, wanted: Array, model: str) -> str:
    a, b = float(got), float(wanted)
    for wrong, words in (
        (np.isnan(b), "drops NaN"),
        (np.isnan(a), "makes NaN"),
        (np.isinf(b), "loses an infinity"),
        (np.isinf(a), "makes an infinity"),
        (a < 0 < b or b < 0 < a, "has the wrong sign"),
    ):
        if wrong:
            return words
    ulps = float(ulp_distance(got, wanted))
    words = f"off by {ulps:.0f} ULP" if ulps < 1e7 else f"off by {ulps:.2g} ULP"
    op = op_of(case.op)
    if isinstance(op, Formula):
        return f"{words}, {allowed_ulps(op, case.direction, format_of(np_dtype(case.dtype))):g} are allowed"
    if len(_questions(case)) > 1:
        return f"{words} from rounding model {model}, the nearest"
    if case.dtype == "float64" and a == float(source) * float(np.float32(case.negative_slope)):
        return f"{words}, by a slope rounded to float32"
    return words


def _where(index: int, shape: tuple[int, ...]) -> str:
    if len(shape) == 1:
        return f"at index {index} of {shape[0]}"
    return f"at index {_place(index, shape)} of shape {shape}" if shape else "in the 0-d array"


def _place(index: int, shape: tuple[int, ...]) -> tuple[int, ...]:
    return tuple(int(i) for i in np.unravel_index(index, shape)) if shape else ()


def _show(value: Array) -> str:
    return "the poison" if is_poison(value) else str(value)
