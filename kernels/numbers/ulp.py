"""How far apart two arrays are, in representable values of their dtype."""

from __future__ import annotations

import numpy as np

from kernels.numbers.floats import Array, bits, blocks, format_of, is_nan

__all__ = ["same_bits", "ulp_distance"]


def ulp_distance(a: Array, b: Array) -> Array:
    """Per element, the number of representable values from `a` to `b`, as float64 of their shape.

    +0 and -0 are 0 apart, the largest finite value and inf are 1 apart, NaN is 0 from NaN (any
    payload) and inf from every number.  Distances above 2**53 (float64 only) are rounded.

    Raises TypeError unless both have the same one of the four dtypes, ValueError unless they
    have the same shape.
    """
    a, b = np.asarray(a), np.asarray(b)
    if a.dtype != b.dtype:
        raise TypeError(f"dtypes are {a.dtype} and {b.dtype}; they must be the same: convert one first")
    if a.shape != b.shape:
        raise ValueError(f"shapes are {a.shape} and {b.shape}; they must be the same: nothing is broadcast")
    first, second = _ordered(a), _ordered(b)
    # Unsigned subtraction wraps, so that the difference of the larger and the smaller key is
    # exact even where it does not fit a signed integer (-max to max in float64).
    larger, smaller = np.maximum(first, second), np.minimum(first, second)
    distance = np.subtract(larger.view(np.uint64), smaller.view(np.uint64)).astype(np.float64)
    nan_a, nan_b = is_nan(a), is_nan(b)
    return np.where(nan_a | nan_b, np.where(nan_a & nan_b, 0.0, np.inf), distance)


def same_bits(a: Array, b: Array) -> bool:
    """Whether `a` and `b` agree in shape, dtype and every bit (so -0 is not +0, a NaN is itself)."""
    a, b = np.asarray(a), np.asarray(b)
    if a.shape != b.shape or a.dtype != b.dtype:
        return False
    u, v = bits(a), bits(b)
    return all(np.array_equal(u[block], v[block]) for block in blocks(u.shape))


def _ordered(values: Array) -> Array:
    """int64 keys in the order of the values, neighbours 1 apart; both zeros are 0."""
    form = format_of(values.dtype)
    word = values.view(form.signed).astype(np.int64)
    return np.asarray(np.where(word < 0, -(1 << (form.width - 1)) - word, word))
