"""The judge of ops that are computed, not selected: each element within a bound of the right answer.

The right answer is the op's reference in float64 (float64: in the widest float there is), and an error is counted in
units in the last place of the dtype at the right answer; where terms of size 1 cancel, at that size (`Allowed.scale`).

Judged besides: NaN stays NaN where it came in, and comes out nowhere else.  Reported only: operands so large that a
power of them overflows on the way, infinities included; in backward the kinks of the derivative, x that is NaN, and
a dy that is not finite; what is subnormal, as anywhere (`kernels.correctness.policy`).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from kernels.api import Case
from kernels.correctness.survey import Findings
from kernels.numbers.floats import Array, Format, bits, blocks, flat_index, format_of, is_nan
from kernels.ops.formula import Formula

__all__ = ["allowed_ulps", "expected", "least_kept", "survey_bounded", "top_exponent", "widened"]

Mask = npt.NDArray[np.bool_]
_SLACK = 2.0**-7
"""Of a unit: the reference's own error."""


def allowed_ulps(op: Formula, direction: str, form: Format) -> float:
    """How many units an answer may be from the right one that was rounded once."""
    allowed = op.allowed(direction)
    return allowed.ulps16 if form.width == 16 else allowed.ulps


def expected(op: Formula, case: Case, x: Array, other: Array | None) -> Array:
    """The right answer, wide: op(x), op(x, r), or dy * op'(x); `other` is r, or dy."""
    wide, values = widened(x), case.values
    with np.errstate(all="ignore"):
        if case.direction == "backward":
            assert op.derivative is not None, "a case without a gradient is refused"
            assert other is not None, "backward has dy"
            return np.asarray(widened(other) * op.derivative(wide, **values))
        more = () if other is None else (widened(other),)
        return np.asarray(op.reference(wide, *more, **values))


def survey_bounded(op: Formula, case: Case, x: Array, other: Array | None, result: Array) -> Findings:
    """Hold every element of `result` against the bound; all arrays agree in shape and dtype."""
    form = format_of(x.dtype)
    limit = allowed_ulps(op, case.direction, form)
    found = Findings(f"within {limit:g} ULP" if limit else "exact")
    for block in blocks(x.shape):
        parts = [np.array(array[block]).reshape(-1) for array in (x, other, result) if array is not None]
        second = None if other is None else parts[1]
        part = _Part(op, case, parts[0], second, parts[-1])
        _count(found, part, block, x.shape)
        _note(found, case, part)
    return found


@dataclass
class _Part:
    """Some elements: what came in, what came out, and how far that is from what is right."""

    op: Formula
    case: Case
    x: Array
    other: Array | None
    result: Array

    def __post_init__(self) -> None:
        self.form = format_of(self.x.dtype)
        self.wide = widened(self.x)
        self.got = widened(self.result)
        self.wanted = expected(self.op, self.case, self.x, self.other)
        self.nan_in = is_nan(self.x) if self.other is None else is_nan(self.x) | is_nan(self.other)

    def units(self) -> Array:
        """The distance of each element from what is wanted; inf where one is NaN, or one is infinite."""
        with np.errstate(all="ignore"):
            unit = _ulp(np.maximum(np.abs(self.wanted), self._scale()), self.form)
            units = np.abs(self.got - self.wanted) / unit
        largest = float(np.ldexp(2 - 2.0**-self.form.mantissa, top_exponent(self.form)))
        beyond = (np.abs(self.wanted) >= largest) & (np.sign(self.got) == np.sign(self.wanted))
        units = np.where(beyond & np.isinf(self.got), 0.0, units)
        units = np.where(np.isnan(self.wanted) & np.isnan(self.got), 0.0, units)
        units = np.where(np.isnan(units), np.inf, units)
        return np.maximum(units - 0.5, 0.0)  # half a unit is what rounding once takes

    def _scale(self) -> Array:
        scale = self.op.allowed(self.case.direction).scale
        least = np.zeros_like(self.wide) if scale is None else scale(self.wide, **self.case.values)
        if self.case.direction == "backward" and self.other is not None:
            least = least * np.abs(widened(self.other))
        return np.where(np.isfinite(least), least, 0)

    def _subnormal_in(self) -> Mask:
        """Where an input is subnormal, which some take for 0; nobody does in float16."""
        if self.form.name == "float16":
            return np.zeros(self.wide.shape, bool)
        given = [self.wide] if self.other is None else [self.wide, widened(self.other)]
        found = [(np.abs(each) < self.form.tiny) & (each != 0) for each in given]
        return np.asarray(np.logical_or.reduce(found))

    def _of_flushed(self) -> Array:
        """The right answer where a subnormal input is taken for 0, however large a derivative it meets; else NaN."""
        where, found = self._subnormal_in(), np.full_like(self.wanted, np.nan)
        other = None if self.other is None else _flushed(self.other[where], self.form)
        found[where] = expected(self.op, self.case, _flushed(self.x[where], self.form), other)
        return found

    def excused(self) -> Mask:
        """What is only reported."""
        tiny, size = self.form.tiny, np.abs(self.wide)
        allowed = self.op.allowed(self.case.direction)
        with np.errstate(all="ignore"):
            if allowed_ulps(self.op, self.case.direction, self.form):
                # What underflows, or is the inverse of what overflows, may be multiplied by x (exp's is below 1024).
                factor = np.clip(size, 1, 1024)
                low = least_kept(self.form) * factor
                error = np.abs(self.got - self.wanted)
                excused = (np.abs(self.wanted) < low) & (np.abs(self.got) <= 4 * low) | (error <= 16 * low)
            else:
                flushed_in = self._subnormal_in() & (np.abs(self.got - self.wanted) <= 2 * tiny)
                excused = flushed_in | ((np.abs(self.wanted) < tiny) & (self.got == 0))
            excused |= np.abs(self.got - self._of_flushed()) <= tiny
            excused &= ~self.nan_in
            power = allowed.power
            if power:
                excused |= (size >= _root(self.form, power)) & ~self.nan_in
            if allowed.ulps and self.other is not None:
                excused |= np.abs(widened(self.other)) * np.maximum(size, 1) ** power >= _root(self.form, 1)
        if self.case.direction == "backward":
            assert self.other is not None, "backward has dy"
            excused |= is_nan(self.x) | ~np.isfinite(widened(self.other))
            for kink in self.op.kinks:
                excused |= (self.wide == kink) | ((kink == 0) & (size < tiny))
        return np.asarray(excused & (~is_poison_bits(self.result, self.form) | self.nan_in))


def is_poison_bits(values: Array, form: Format) -> Mask:
    """Where nothing was written."""
    return np.asarray(bits(values) == form.poison)


def _count(found: Findings, part: _Part, block: tuple[slice, ...], shape: tuple[int, ...]) -> None:
    units, excused = part.units(), part.excused()
    units = np.where(part.nan_in & is_nan(part.result), 0.0, units)
    units = np.where(part.nan_in & ~is_nan(part.result), np.inf, units)
    units[excused] = 0.0
    found.max_ulp = max(found.max_ulp, float(units.max(initial=0.0)))
    limit = allowed_ulps(part.op, part.case.direction, part.form) + _SLACK
    wrong = np.flatnonzero(units > limit)
    found.wrong += wrong.size
    if wrong.size:
        i = int(wrong[0])
        index = flat_index(i, block, shape)
        if found.first is None or index < found.first[0]:
            other = part.x if part.other is None else part.other
            with np.errstate(all="ignore"):
                wanted = np.asarray(part.wanted[i]).astype(part.x.dtype)
            found.first = (index, part.x[i], other[i], part.result[i], wanted)


def _note(found: Findings, case: Case, part: _Part) -> None:
    """What comes of -0 and of infinities, in forward."""
    if case.direction == "backward" or case.arrays > 1:
        return
    zero = (part.wide == 0) & np.signbit(part.wide)
    if zero.any():
        seen = part.got[zero]
        answers = {"-0" if np.signbit(v) else "+0" for v in seen[seen == 0]}
        answers |= {f"{float(v):g}" for v in seen[(seen != 0)][:1]}
        found.notes.setdefault(f"{case.op}(-0)", set()).update(answers)
    for value in (np.inf, -np.inf):
        for v in part.got[part.wide == value][:1]:
            found.notes.setdefault(f"{case.op}({value:+g})", set()).add(f"{float(v):g}")


def widened(values: Array) -> Array:
    """float64, or longdouble for float64, where that is wider; every NaN a quiet one."""
    wide = np.longdouble if values.dtype == np.float64 else np.float64
    with np.errstate(invalid="ignore"):  # signalling NaNs are data here
        return np.where(is_nan(values), wide("nan"), values.astype(wide))


def _flushed(values: Array, form: Format) -> Array:
    """The values, with 0 for what is subnormal."""
    return np.asarray(np.where(np.abs(widened(values)) < form.tiny, np.zeros_like(values), values))


def _ulp(magnitude: Array, form: Format) -> Array:
    """The unit in the last place of the dtype at each magnitude; of subnormals, that of the smallest normal."""
    least = np.asarray(form.tiny, magnitude.dtype)
    finite = np.where(np.isfinite(magnitude), magnitude, 1)
    exponent = np.frexp(np.maximum(finite, least))[1] - 1
    return np.asarray(
        np.ldexp(np.ones_like(magnitude), np.minimum(exponent, top_exponent(form)) - form.mantissa)
    )


def top_exponent(form: Format) -> int:
    """The exponent of the largest number."""
    return {"float16": 15, "bfloat16": 127, "float32": 127, "float64": 1023}[form.name]


def least_kept(form: Format) -> float:
    """What flushing takes away at most; in float16, which nobody flushes, a unit of the subnormals."""
    return form.tiny * 2.0**-form.mantissa if form.name == "float16" else form.tiny


def _root(form: Format, power: int) -> float:
    """The magnitude from which a quarter of the largest number may be exceeded by that power."""
    return float(2.0 ** ((top_exponent(form) - 2) / power))
