"""The judge of the gradient of a parameter that is learnt: the sum of dy times the derivative by it, at every x.

What is right is added up in a wider float.  How far a sum may be from it depends on how many terms were rounded, and in
which precision they were added: as in the dtype, or for 16 bits in float32.

With unit roundoff u and n terms that add up to S in magnitude, a sum in any order stays within (n - 1) u S, and with
independent roundings within `_LAMBDA` sqrt(n) u S but once in some 10**7 (N. J. Higham and T. Mary, "A new approach to
probabilistic rounding error analysis", SIAM J. Sci. Comput. 41, 2019).  The smaller is allowed; besides one rounding of
each term and of the sum, to the dtype.

XLA adds 16 bits in 16 bits on the CPU, by halves: within log2(n) u S (N. J. Higham, "The accuracy of floating point
summation", SIAM J. Sci. Comput. 14, 1993).  Who keeps that bound only is said to add so.

NaN among the x has to make it NaN.  What comes of infinities, and of a dy that is none, is only reported.  Where sums
on the way may overflow, an infinity is right.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from kernels.api import Backend, Case
from kernels.correctness.bounded import least_kept, top_exponent, widened
from kernels.numbers.floats import Array, Format, blocks, format_of, np_dtype
from kernels.ops import op_of
from kernels.ops.formula import Formula

__all__ = ["SumJudgement", "judge_slope_gradient", "slope_gradient_of"]

_LAMBDA = 6.0
_NAME = "the gradient of the slope"


@dataclass(frozen=True, slots=True)
class SumJudgement:
    """What came of a sum.

    problem  None if it is right, else one line
    share    of the error that is allowed, the part that it takes; None where it is not judged by size
    notes    what is only reported
    """

    problem: str | None
    share: float | None = None
    notes: dict[str, str] = field(default_factory=dict)


@dataclass(slots=True)
class _Terms:
    """All terms: their sum, the sum of their magnitudes, and what flushing may take away."""

    total: Any = 0.0
    size: float = 0.0
    flushed: float = 0.0
    nan: bool = False
    finite: bool = True

    @classmethod
    def of(cls, case: Case, x: Array, dy: Array) -> _Terms:
        op, form, found = op_of(case.op), format_of(x.dtype), cls(np.longdouble(0))
        assert isinstance(op, Formula) and op.by_slope is not None, "the case has two results"  # noqa: PT018
        for block in blocks(x.shape):
            a, b = widened(x[block]), widened(dy[block])
            found.nan |= bool(np.isnan(a).any())
            found.finite &= bool(np.isfinite(a).all() and np.isfinite(b).all())
            with np.errstate(all="ignore"):
                terms = b * op.by_slope(a, **case.values)
                found.total += terms.sum()
                found.size += float(np.abs(terms).sum())
                largest = np.maximum(np.maximum(np.abs(a), np.abs(b)), 1)
                found.flushed += least_kept(form) * float(largest.sum())
        return found

    def allowed(self, n: int, form: Format) -> dict[str, float]:
        """The error that is allowed where terms are added in float32 or wider; by its name, in 16 bits."""
        own = 2.0 ** -(form.mantissa + 1)
        adding = {"": min(n, _LAMBDA * math.sqrt(n)) * min(own, 2.0**-24)}
        if form.width == 16:
            adding[form.name] = math.ceil(math.log2(max(n, 1))) * own
        return {name: (2 * own + error) * self.size + self.flushed for name, error in adding.items()}

    def may_overflow(self, form: Format) -> bool:
        """Whether terms, or sums of some, may exceed the largest number."""
        return not self.size < 2.0 ** (top_exponent(form) - 2)


def slope_gradient_of(backend: Backend, call: Callable[[], Any]) -> object:
    """What the last `call` of a backend gave besides dx, on the host; None where it keeps none."""
    handle = getattr(call, "slope_gradient", None)
    return None if handle is None else backend.to_numpy(handle)


def judge_slope_gradient(case: Case, x: Array, dy: Array, found: object) -> SumJudgement:
    """Hold what `slope_gradient_of` has found against the sum for these inputs, of any shape and the case's dtype."""
    problem = _wrong_form(case, found)
    if problem is not None:
        return SumJudgement(problem)
    form, terms, got = format_of(x.dtype), _Terms.of(case, x, dy), float(np.asarray(found).reshape(()))
    if terms.nan:
        return SumJudgement(None if math.isnan(got) else f"{_NAME} drops NaN: {got:g}, x has NaN")
    bounds = terms.allowed(x.size, form)
    with np.errstate(all="ignore"):
        error = float(abs(np.longdouble(got) - terms.total))
    if not terms.finite:
        return SumJudgement(None, None, _notes(x, dy, got, right=error <= bounds[""]))
    if not math.isfinite(got) and terms.may_overflow(form):
        return SumJudgement(None)
    for added_in, allowed in bounds.items():
        if error <= allowed:
            notes = {"grad(slope) added in": added_in} if added_in else {}
            return SumJudgement(None, error / allowed if allowed else 0.0, notes)
    wanted = f"wanted {float(terms.total):g} within {max(bounds.values()):.2g}"
    return SumJudgement(f"{_NAME} is {got:g}, {wanted}, a sum over {x.size} elements")


def _wrong_form(case: Case, found: object) -> str | None:
    if found is None:
        return f"{_NAME} is missing: {case.op} backward gives it besides dx, as the call's slope_gradient (docs/ops.md)"
    if not isinstance(found, np.ndarray | np.generic):
        return f"{_NAME} is {type(found).__name__}, wanted one element of {case.dtype}"
    if found.size != 1 or found.dtype != np_dtype(case.dtype):
        return f"{_NAME} is {found.dtype} of shape {found.shape}, wanted one element of {case.dtype}"
    return None


def _notes(x: Array, dy: Array, got: float, *, right: bool) -> dict[str, str]:
    """What comes of x = +inf, where a derivative is 0, where all else is finite."""
    wide = widened(x)
    if not np.isfinite(widened(dy)).all() or not (wide == np.inf).any() or not (wide > -np.inf).all():
        return {}
    return {"grad(slope) at x=+inf": "0" if right else f"{got:g}"}
