"""What stands in the inputs: numbers of each kind in `kernels.api.DATA`, and the special values of each format.

A block of `DRAWN` elements is drawn and then repeated, so that large inputs are built quickly.  `DRAWN` is odd
(prime, in fact): an element and its copies never meet the same vector lane, cache line or thread boundary again
and again.

Everything follows from the seed alone (PCG64, drawn in float64, rounded to the dtype).  So the processes of an
experiment have equal inputs without exchanging them.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from kernels.api import DATA
from kernels.numbers.floats import Array, Format, bits, format_of, np_dtype

__all__ = ["DRAWN", "NEGATIVE_FRACTION", "fill", "specials"]

DRAWN = 131_071
"""Elements that are drawn; the rest repeats them."""

NEGATIVE_FRACTION = 0.5
"""Of normal data: each block has as many negative numbers as positive ones (one fewer if odd)."""


def fill(array: Array, kind: str, seed: int) -> None:
    """Overwrite `array` (any shape and strides, one of the four dtypes) with data of `kind`.

    Elements are written in memory order: sorted data ascends as a kernel walks it, also in a
    transposed array.  No kind but subnormal and special contains zeros, subnormals, infs or NaN.

    normal       standard normal, NEGATIVE_FRACTION of it negative, in random order
    positive     its magnitudes;  negative: their negatives
    sorted       normal, ascending over the whole array (numbers repeat in arrays above DRAWN)
    alternating  signs +, -, +, - …
    subnormal    uniform subnormals of both signs, none of them 0
    special      `specials` in order, a normal number between every two

    Raises ValueError for an unknown kind, TypeError for another dtype.
    """
    if kind not in DATA:
        raise ValueError(f"data is {kind!r}; allowed: {', '.join(DATA)}")
    form = format_of(array.dtype)
    flat = _in_memory_order(bits(array))
    if flat is not None:
        _FILLERS[kind](flat, form, np.random.default_rng(seed))
        return
    whole = np.empty(array.size, form.unsigned)
    _FILLERS[kind](whole, form, np.random.default_rng(seed))
    bits(array)[...] = whole.reshape(array.shape)


def specials(dtype_name: str) -> Array:
    """The values at which implementations differ: a fresh 1-D array in that dtype.

    Zeros, ones, infinities, NaNs (both signs, quiet and signalling, with payload), the ends and
    the middle of the subnormals, the ends of the normals, numbers beside one another near 0.01,
    and numbers whose product with 0.01 or 0.2 is, or only just is not, subnormal.
    """
    form = format_of(np_dtype(dtype_name))
    small, top = form.smallest_normal, form.infinity
    nan = top | form.quiet
    magnitudes = [
        nan,
        0,
        top,
        nan | 1,
        nan | 0b10110,
        top | 1,
        small,
        small - 1,
        1,
        2,
        3,
        small >> 1,
        small + 1,
        2 * small,
        top - 1,
        top - 2,
    ]
    for value in (1.0, 0.01, 0.2, 3.0, form.tiny * 5, form.tiny * 99, form.tiny * 101):
        near = int(bits(np.array(value, form.dtype)))
        magnitudes += [near - 1, near, near + 1]
    words = [word | sign for word in magnitudes for sign in (0, form.sign)]
    return np.array(words, form.unsigned).view(form.dtype)


def _in_memory_order(array: Array) -> Array | None:
    """A 1-D view of all elements, in the order in which they lie in memory, if there is one."""
    if array.ndim == 1:
        return array
    if array.flags.c_contiguous:
        return array.reshape(-1)
    if array.flags.f_contiguous:
        return array.T.reshape(-1)
    return None


def _tile(flat: Array, block: Array) -> None:
    for start in range(0, flat.size, max(block.size, 1)):
        part = flat[start : start + block.size]
        part[...] = block[: part.size]


def _magnitudes(count: int, form: Format, rng: np.random.Generator) -> Array:
    """`count` values of ``abs(standard normal)`` as bits, none of them below the smallest normal."""
    values = np.maximum(np.abs(rng.standard_normal(count)), form.tiny)
    return bits(values.astype(form.dtype))


def _normal_block(count: int, form: Format, rng: np.random.Generator) -> Array:
    magnitudes = _magnitudes(count, form, rng)
    negative = rng.permutation(count) < int(count * NEGATIVE_FRACTION)
    magnitudes[negative] |= form.unsigned.type(form.sign)
    return magnitudes


def _normal(flat: Array, form: Format, rng: np.random.Generator) -> None:
    _tile(flat, _normal_block(min(flat.size, DRAWN), form, rng))


def _positive(flat: Array, form: Format, rng: np.random.Generator) -> None:
    _tile(flat, _magnitudes(min(flat.size, DRAWN), form, rng))


def _negative(flat: Array, form: Format, rng: np.random.Generator) -> None:
    _tile(flat, _magnitudes(min(flat.size, DRAWN), form, rng) | form.unsigned.type(form.sign))


def _sorted(flat: Array, form: Format, rng: np.random.Generator) -> None:
    if flat.size == 0:
        return
    repeats = -(-flat.size // DRAWN)
    block = _normal_block(-(-flat.size // repeats), form, rng).view(form.dtype).astype(np.float64)
    block.sort()
    flat[...] = np.repeat(bits(block.astype(form.dtype)), repeats)[: flat.size]


def _alternating(flat: Array, form: Format, rng: np.random.Generator) -> None:
    """Twice the (odd) block, so that the signs still alternate where one copy meets the next."""
    block = np.tile(_magnitudes(min(flat.size, DRAWN), form, rng), 2)
    block[1::2] |= form.unsigned.type(form.sign)
    _tile(flat, block)


def _subnormal(flat: Array, form: Format, rng: np.random.Generator) -> None:
    count = min(flat.size, DRAWN)
    words = rng.integers(1, form.smallest_normal, count, dtype=form.unsigned)
    negative = rng.integers(0, 2, count, dtype=form.unsigned) * form.unsigned.type(form.sign)
    _tile(flat, words | negative)


def _special(flat: Array, form: Format, rng: np.random.Generator) -> None:
    """An odd period, so that in time each special value stands in each lane of a vector."""
    special = bits(specials(form.name))
    period = 2 * special.size + 1
    block = _normal_block(min(flat.size, DRAWN // period * period), form, rng)
    for index, word in enumerate(special):
        block[2 * index :: period] = word
    _tile(flat, block)


_FILLERS: dict[str, Callable[[Array, Format, np.random.Generator], Any]] = {
    "normal": _normal,
    "positive": _positive,
    "negative": _negative,
    "sorted": _sorted,
    "alternating": _alternating,
    "subnormal": _subnormal,
    "special": _special,
}
