"""What a combination of op, direction, placement and dtype is tried on, most telling first.

Some trials are run always.  The others (more lengths, slopes and layouts) each may cost a compiler
another second, so they are run while the combination's time lasts, and the rest is said to be untried.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

import numpy as np

from kernels.api import Case, facts_of
from kernels.numbers import host_arrays
from kernels.numbers.floats import FORMATS, Array

__all__ = ["SLOPES", "Trial", "trials"]

SLOPES = (0.01, 1.5, -0.5, 0.0, 0.2, 1.0)
"""Slopes that the policy judges: each leaves another wrong formula standing."""

_REPORTED_SLOPES = (float("inf"), float("nan"))
_LENGTH = 65_536 + 3
"""All patterns of a 16-bit type and a tail; long enough for the frameworks' parallel loops."""
_SWEPT = (17, 1, 7, 16, 1023)
"""Around the widths of vectors and of unrolled loops: bodies and tails are different code."""
_LAID_OUT = 1020
"""Not prime, so that its transposed layout is a real one: 34 x 30."""


@dataclass(frozen=True)
class Trial:
    """Inputs for several calls of one case: `x` and `dy` have shape (calls, case.n).

    misaligned  the arrays start one element beyond a 64-byte line
    must        it is run whatever it takes
    reported    a backend that raises is not wrong
    """

    name: str
    case: Case
    make: Callable[[Case], tuple[Array, Array | None]]
    must: bool = False
    misaligned: bool = False
    reported: bool = False


def trials(case: Case) -> Iterator[Trial]:
    """The trials for `case`, of which n, layout and slope are replaced; those that must be come first."""
    main = case.placement == "new"
    yield _long(case, 0.01, must=True)
    yield _sweep(case, 17, must=main)
    slopes = SLOPES[1:] if facts_of(case.op).sloped else ()
    for slope in slopes[:3]:
        yield _long(case, slope, must=main)
    for n in _SWEPT[1:]:
        yield _sweep(case, n)
    for layout in ("strided", "transposed"):
        yield Trial(layout, replace(case, n=_LAID_OUT, layout=layout), _swept_values)
    yield Trial("misaligned", replace(case, n=1023), _swept_values, misaligned=True)
    for slope in slopes[3:]:
        yield _long(case, slope)
    yield Trial("length 0", replace(case, n=0), lambda empty: _plain(empty, 1))
    for slope in _REPORTED_SLOPES if slopes else ():
        yield replace(_long(case, slope), reported=True)


def _long(case: Case, slope: float, *, must: bool = False) -> Trial:
    name = f"slope {slope:g}" if facts_of(case.op).sloped else f"length {_LENGTH}"
    return Trial(name, replace(case, n=_LENGTH, negative_slope=slope), _long_values, must)


def _sweep(case: Case, n: int, *, must: bool = False) -> Trial:
    return Trial(f"length {n}", replace(case, n=n), _swept_values, must)


def _long_values(case: Case) -> tuple[Array, Array | None]:
    """Bit patterns (all there are, or random ones), every special value against every other, normals."""
    plain, other = _plain(case, 2)[0]
    patterns = _patterns(case)
    special = host_arrays.specials(case.dtype)
    left, right = np.resize(np.repeat(special, special.size), case.n), np.resize(special, case.n)
    if case.arrays == 1:
        return np.stack([patterns, left, plain]), None
    return np.stack([patterns, plain, left, plain]), np.stack([plain, patterns, right, other])


def _swept_values(case: Case) -> tuple[Array, Array | None]:
    """Every special value at every position; in backward in x, then in dy, the other being plain."""
    special = host_arrays.specials(case.dtype)
    index = (np.arange(special.size)[:, None] + np.arange(case.n)) % special.size
    swept = special[index]
    if case.arrays == 1:
        return swept, None
    plain = np.broadcast_to(_plain(case, 1)[0], swept.shape)
    return np.concatenate([swept, plain]), np.concatenate([plain, swept])


def _plain(case: Case, rows: int) -> tuple[Array, Array | None]:
    values = np.empty((rows, case.n), host_arrays.np_dtype(case.dtype))
    for seed, row in enumerate(values):
        host_arrays.fill(row, "normal", seed)
    return values, (values[::-1] if case.arrays == 2 else None)


def _patterns(case: Case) -> Array:
    form = FORMATS[case.dtype]
    if form.width == 16:
        return np.resize(np.arange(1 << 16, dtype=np.uint16), case.n).view(form.dtype)
    top = np.iinfo(form.unsigned).max
    words = np.random.default_rng(1).integers(0, top, case.n, dtype=form.unsigned, endpoint=True)
    return words.view(form.dtype)
