"""What the policy reports and does not judge: signs of zero, payloads, subnormals, conventions."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from kernels.correctness.rules import Elements, Mask
from kernels.numbers.floats import bits

__all__ = ["Notes", "take_notes"]

Notes = dict[str, set[str]]
"""For each special value, what was seen to come of it: several answers if elements differ."""


def take_notes(e: Elements, notes: Notes) -> None:
    """Add to `notes` what `e` shows.  A slope that is not finite says nothing about the rest."""
    parts = (_zeros, _gradients, _subnormals) if np.isfinite(e.question.slope) else ()
    for part in (*parts, _payloads, _slopes):
        for name, answer, where in part(e):
            if where.any():
                notes.setdefault(name, set()).add(answer)


Seen = Iterator[tuple[str, str, Mask]]


def _zeros(e: Elements) -> Seen:
    if e.question.direction == "backward":
        return
    short = "leaky" if e.question.scales else "relu"
    zero, minus = e.x == 0, np.signbit(e.x)
    gave, gave_minus = e.result == 0, np.signbit(e.result)
    yield f"{short}(-0)", "-0", zero & minus & gave & gave_minus
    yield f"{short}(-0)", "+0", zero & minus & gave & ~gave_minus
    yield f"{short}(-0)", "nan", zero & minus & np.isnan(e.result)
    # These two are worth a word only where they are not what everybody does.
    yield f"{short}(+0)", "-0", zero & ~minus & gave & gave_minus
    if not e.question.scales:
        yield "relu(x<0)", "-0", (e.x < 0) & ~e.subnormal(e.x) & gave & gave_minus


def _payloads(e: Elements) -> Seen:
    form = e.question.form
    both = np.isnan(e.source) & np.isnan(e.result)
    came, went = bits(e.raw_source), bits(e.raw_result)
    kept, quieted = came == went, (came | form.unsigned.type(form.quiet)) == went
    yield "nan payload", "kept", both & kept
    yield "nan payload", "quieted", both & ~kept & quieted
    yield "nan payload", "changed", both & ~kept & ~quieted


def _subnormals(e: Elements) -> Seen:
    mask = e.subnormal(e.wanted) | (e.subnormal(e.source) & (e.wanted != 0))
    if e.question.direction == "backward":  # elsewhere it is the convention that decides
        mask &= (e.x != 0) & ~np.isnan(e.x) & ~e.subnormal(e.x)
    kept = (e.result == e.wanted) | (e.scaled & e.any_product(lambda product: product == e.result))
    rest, flushed, unscaled = mask & ~kept, e.result == 0, e.result == e.source
    yield "subnormals", "kept", mask & kept
    yield "subnormals", "flushed", rest & flushed
    yield "subnormals", "unscaled", rest & ~flushed & unscaled
    yield "subnormals", "other", rest & ~flushed & ~unscaled


def _slopes(e: Elements) -> Seen:
    slope, nan, zero = e.question.slope, np.isnan(e.result), e.result == 0
    if e.question.scales and not np.isfinite(slope):
        name = f"x<0, slope {slope:g}"
        yield name, "nan", (e.x < 0) & nan
        yield name, "inf", (e.x < 0) & np.isinf(e.result)
        yield name, "finite", (e.x < 0) & np.isfinite(e.result)
        yield f"x>0, slope {slope:g}", "nan", (e.x > 0) & nan & ~np.isnan(e.source)
        yield f"x>0, slope {slope:g}", "other", (e.x > 0) & ~nan & (e.result != e.source)
        return
    if slope != 0:
        return
    if e.question.direction == "backward":
        name, where = "grad(x<0, dy not finite)", (e.x < 0) & ~np.isfinite(e.source)
    elif e.question.scales:
        name, where = "leaky(-inf, slope 0)", e.x == -np.inf
    else:
        return
    yield name, "nan", where & nan
    yield name, "0", where & zero


def _gradients(e: Elements) -> Seen:
    """Which multiple of dy came out, where dy is an ordinary number and can tell."""
    if e.question.direction == "forward":
        return
    low = e.question.form.tiny
    telling = np.isfinite(e.source) & (np.abs(e.source) >= 2 * low)
    if e.question.slope != 0:
        telling &= ~e.any_product(lambda product: np.abs(product) < low)
    # A subnormal x is worth a word only where it is not taken for the number that it is.
    yield from _multiples(e, "grad(subnormal)", telling & e.subnormal(e.x) & (e.result != e.wanted))
    yield from _multiples(e, "grad(0)", telling & (e.x == 0))
    yield from _multiples(e, "grad(nan)", telling & np.isnan(e.x))


def _multiples(e: Elements, name: str, where: Mask) -> Seen:
    """The one multiple that explains all of `where`, if there is one (slope 1 is "slope"), else each."""
    known = {"0": e.result == 0, "slope": e.any_product(lambda product: product == e.result)}
    known |= {"1": e.result == e.source, "0.5": e.result == e.source / 2, "nan": np.isnan(e.result)}
    for answer, mask in known.items():
        if mask[where].all():
            yield name, answer, where
            return
    rest = where
    for answer, mask in known.items():
        yield name, answer, rest & mask
        rest = rest & ~mask
    yield name, "other", rest
