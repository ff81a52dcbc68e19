"""The policy, element by element: what is wrong, what is excused, what is merely reported.

Works on a few compressed elements in float64, which holds every value of the four dtypes
exactly.  The speed is in `kernels.correctness.survey`, which brings only elements here that need a look.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from kernels.correctness import reference
from kernels.numbers.floats import Array, Format, bits, is_nan
from kernels.numbers.ulp import ulp_distance
from kernels.ops import exact_op

__all__ = ["Elements", "Question", "ulps_and_excuses"]

Mask = npt.NDArray[np.bool_]


@dataclass(frozen=True)
class Question:
    """What was asked: the operation, its slope, and the rounding model to hold the answer to."""

    op: str
    direction: str
    slope: float
    form: Format
    model: str

    @property
    def scales(self) -> bool:
        """Whether anything is multiplied at all."""
        return exact_op(self.op).scales

    @property
    def rounded_slope(self) -> float:
        """The slope as the dtype has it: it may be inf, subnormal or 0 where `slope` is not."""
        with np.errstate(all="ignore"):
            return float(self.form.dtype.type(self.slope))

    def wanted(self, source: Array, x: Array) -> Array:
        """The right answer under the model; `source` is x itself in forward, dy in backward."""
        if self.direction == "forward":
            return reference.forward(self.op, x, self.slope, self.model)
        return reference.backward(self.op, source, x, self.slope, self.model)


class Elements:
    """Some elements of an answer, the facts about them that the rules ask for, in float64."""

    def __init__(self, question: Question, x: Array, source: Array, result: Array) -> None:
        """All arrays are 1-D, of one length and the question's dtype."""
        self.question = question
        self.raw_x, self.raw_source, self.raw_result = x, source, result
        self.raw_wanted = question.wanted(source, x)
        with np.errstate(invalid="ignore"):  # signalling NaNs are data here
            self.x, self.source = _wide(x), _wide(source)
            self.result, self.wanted = _wide(result), _wide(self.raw_wanted)
            self.products = [
                _wide(reference.scale(source, question.slope, model))
                for model in (reference.models(question.form.dtype) if question.scales else ())
            ]
            self.scaled: Mask = ~(self.x > 0)
        if question.direction == "forward":
            self.scaled &= ~np.isnan(self.x)
        # An input may happen to be the poison (all bit patterns are tried) and be passed on.
        passed_on = _makes_poison(question.form, x) | _makes_poison(question.form, source)
        self.unwritten: Mask = (bits(result) == question.form.poison) & ~passed_on

    def subnormal(self, values: Array) -> Mask:
        """Where `values` are subnormal in the dtype (0 is not)."""
        return np.asarray((values != 0) & (np.abs(values) < self.question.form.tiny))

    def any_product(self, test: Callable[[Array], Mask]) -> Mask:
        """Where `test` holds for the product of the slope under one model or another."""
        found = np.zeros(self.x.shape, bool)
        for product in self.products:
            found |= test(product)
        return found


def ulps_and_excuses(elements: Elements) -> tuple[Array, Mask]:
    """Per element its distance from the wanted value, and whether the policy does not judge it."""
    ulps = ulp_distance(elements.raw_result, elements.raw_wanted)
    excused = _excused_subnormals(elements) | _excused_slopes(elements)
    if elements.question.direction == "backward":
        excused |= _excused_gradients(elements)
    ulps[elements.unwritten] = np.inf
    return ulps, excused & ~elements.unwritten


def _excused_subnormals(e: Elements) -> Mask:
    """Where flushing may have happened, and what came out is no larger than flushing explains."""
    question = e.question
    touched = e.subnormal(e.source)
    if question.scales and question.slope != 0:
        low = question.form.tiny
        underflow = e.any_product(lambda product: np.abs(product) < low)
        with np.errstate(all="ignore"):
            # What is rounded up to the smallest normal may have been flushed before it was rounded.
            underflow |= np.abs(e.source * question.rounded_slope) < low
        underflow &= np.isfinite(e.source) & (e.source != 0)
        touched = touched | (e.scaled & (underflow | _slope_underflows(question)))
    return np.asarray(touched & (np.abs(e.result) <= question.form.tiny))


def _excused_slopes(e: Elements) -> Mask:
    """Slopes that are not finite, and products of 0 with an infinity, by rounding or by nature."""
    question = e.question
    if not question.scales and question.direction == "forward":
        return np.zeros(e.x.shape, bool)  # relu(-inf) is 0 and nothing else
    if not np.isfinite(question.slope):  # 0 * inf reaches x > 0 too, in some honest formulas
        return np.ones(e.x.shape, bool)
    nothing = (e.result == 0) | np.isnan(e.result)
    excused = np.zeros(e.x.shape, bool)
    if not question.scales or question.slope == 0 or _slope_underflows(question):
        excused |= e.scaled & ~np.isfinite(e.source) & nothing
    if not np.isfinite(question.rounded_slope):
        excused |= e.scaled & (e.source == 0) & nothing
    return excused


def _excused_gradients(e: Elements) -> Mask:
    """At 0 and NaN any convention; at a subnormal x, which may be taken for 0, one of the known."""
    known = (e.result == e.source) | (e.result == 0) | (e.result == e.source / 2)
    known |= e.any_product(lambda product: product == e.result)
    known |= np.isnan(e.result) & ~np.isfinite(e.source)
    return np.asarray((e.x == 0) | np.isnan(e.x) | (e.subnormal(e.x) & known))


def _slope_underflows(question: Question) -> bool:
    return question.slope != 0 and abs(question.rounded_slope) < question.form.tiny


def _makes_poison(form: Format, values: Array) -> Mask:
    """Where the NaN that arithmetic makes of these bits, a quiet one, is the poison."""
    word = (bits(values) & form.unsigned.type(form.sign - 1)) | form.unsigned.type(form.quiet)
    return np.asarray(word == form.poison)


def _wide(values: Array) -> Array:
    """In float64, every NaN a quiet one: arithmetic on a signalling NaN warns."""
    return np.where(is_nan(values), np.nan, values.astype(np.float64))
