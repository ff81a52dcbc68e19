"""Host memory for a case: allocation, layout, contents, and a mark for what nobody has written.

Every array starts on a 64-byte line, because a start elsewhere costs a vector kernel up to
twice the cache lines, and because frameworks alias such arrays and copy others.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import numpy.typing as npt

from kernels.api import Case
from kernels.numbers.data import fill, specials
from kernels.numbers.floats import Array, bits, format_of, np_dtype

__all__ = [
    "ALIGNMENT",
    "Empty",
    "aligned_empty",
    "fill",
    "host_array",
    "is_poison",
    "np_dtype",
    "output_array",
    "poison",
    "specials",
]

ALIGNMENT = 64
"""Bytes: a cache line, and the widest vector register of x86-64."""


def aligned_empty(shape: int | tuple[int, ...], dtype: npt.DTypeLike) -> Array:
    """An uninitialised C-contiguous array of `shape`, whose first byte is on a 64-byte line."""
    dtype = np.dtype(dtype)
    shape = (shape,) if isinstance(shape, int) else tuple(shape)
    raw = np.empty(math.prod(shape) * dtype.itemsize + ALIGNMENT, np.uint8)
    # Not a slice: NumPy lets an empty slice start where it likes.
    return np.ndarray(shape, dtype, buffer=raw.data, offset=-raw.ctypes.data % ALIGNMENT)


Empty = Callable[[int | tuple[int, ...], np.dtype], Array]
"""Makes an uninitialised array of that shape."""


def host_array(case: Case, empty: Empty = aligned_empty) -> Array:
    """An uninitialised input of `case.n` elements in the case's dtype and layout, aligned, in memory from `empty`.

    contiguous: shape (n,).  strided: shape (n,), every second of 2n elements.  transposed: the
    ``.T`` of a C-contiguous (r, c) with r * c == n and r the divisor nearest to sqrt(n).
    """
    dtype = np_dtype(case.dtype)
    if case.layout == "contiguous":
        return empty(case.n, dtype)
    if case.layout == "strided":
        return empty(2 * case.n, dtype)[::2]
    rows = _middle_divisor(case.n)
    return empty((rows, case.n // rows), dtype).T


def output_array(case: Case, empty: Empty = aligned_empty) -> Array:
    """An uninitialised array for the result: the shape of `host_array(case)`, C-contiguous, in memory from `empty`.

    The layout axis describes the inputs.
    """
    dtype = np_dtype(case.dtype)
    if case.layout != "transposed":
        return empty(case.n, dtype)
    rows = _middle_divisor(case.n)
    return empty((case.n // rows, rows), dtype)


def poison(array: Array) -> None:
    """Fill `array` (any strides) with the poison: a NaN that no computation makes."""
    bits(array)[...] = format_of(array.dtype).poison


def is_poison(array: Array) -> npt.NDArray[np.bool_]:
    """Where `array` still holds the poison: a boolean array of its shape."""
    return np.asarray(bits(array) == format_of(array.dtype).poison)


def _middle_divisor(n: int) -> int:
    """The divisor of n nearest to sqrt(n), which is the largest one not above it (1 for n = 0)."""
    return next((d for d in range(math.isqrt(n), 0, -1) if n % d == 0), 1)
