"""What the right answer is: the formulas of `kernels.ops`, element by element, rounded once.

At x == 0 and at x == NaN a gradient is a convention: ops picks one convention; the policy accepts any.

The honest implementations of ``slope * x`` differ in the precision of slope and product:

A  the slope rounded to the dtype, the product rounded once to it (NumPy, JAX, torch float32/64)
B  float32 slope and product, then to 16 bits (torch float16 and bfloat16)
C  float64 slope and product, then to the dtype (Numba given a Python float)

In A a bfloat16 slope is what `ml_dtypes.bfloat16(slope)` says, by way of float32, because NumPy
and JAX say so too; rounding once would differ for one slope in 2**17.
"""

from __future__ import annotations

from functools import partial

import numpy as np

from kernels.numbers.floats import Array, blocks, format_of
from kernels.ops import exact_op

__all__ = ["backward", "forward", "models", "scale"]


def models(dtype: str | np.dtype) -> tuple[str, ...]:
    """The rounding models that can differ in `dtype`: B is A in float32, and C is A in float64."""
    return {16: ("A", "B", "C"), 32: ("A", "C"), 64: ("A",)}[format_of(dtype).width]


def forward(op: str, x: Array, negative_slope: float, model: str = "A") -> Array:
    """The right ``op(x)``: a fresh C-contiguous array of x's shape and dtype (one of the four).

    `negative_slope` is ignored by relu.  Raises ValueError for an unknown op, or for a model
    that `x.dtype` does not have; TypeError for a dtype that is not one of the four.
    """
    kind, x = exact_op(op), np.asarray(x)
    scaled = partial(scale, negative_slope=negative_slope, model=model)
    result = np.empty(x.shape, x.dtype)
    for block in blocks(x.shape):
        with np.errstate(invalid="ignore"):  # ml_dtypes warns when it compares a NaN
            result[block] = kind.reference(x[block], scaled)
    return result


def backward(op: str, dy: Array, x: Array, negative_slope: float, model: str = "A") -> Array:
    """The right dx = dy * op'(x), of x's shape and dtype; `dy` agrees with `x` in both.

    Raises as `forward`; ValueError also if the shapes differ, TypeError if the dtypes do.
    """
    dy, x = np.asarray(dy), np.asarray(x)
    if dy.dtype != x.dtype:
        raise TypeError(f"dy is {dy.dtype} and x is {x.dtype}; they must be the same: convert one first")
    if dy.shape != x.shape:
        raise ValueError(f"dy has shape {dy.shape} and x {x.shape}; they must be the same")
    kind, scaled = exact_op(op), partial(scale, negative_slope=negative_slope, model=model)
    result = np.empty(x.shape, x.dtype)
    for block in blocks(x.shape):
        with np.errstate(invalid="ignore"):  # as above
            result[block] = kind.derivative(dy[block], x[block], scaled)
    return result


def scale(values: Array, negative_slope: float, model: str = "A") -> Array:
    """``negative_slope * values``, rounded as `model` says, in the dtype of `values`.

    Raises ValueError for a model that the dtype does not have.
    """
    values = np.asarray(values)
    form = format_of(values.dtype)
    allowed = ("A", "C") if form.width == 64 else ("A", "B", "C")
    if model not in allowed:
        raise ValueError(f"model is {model!r}; allowed for {form.name}: {', '.join(allowed)}")
    with np.errstate(all="ignore"):  # overflow, underflow and NaN are what is being modelled
        if model == "B":
            product = values.astype(np.float32) * np.float32(negative_slope)
            return np.asarray(product.astype(values.dtype))
        slope = np.float64(negative_slope if model == "C" else values.dtype.type(negative_slope))
        return _round_once(np.asarray(values.astype(np.float64) * slope), values.dtype)


def _round_once(values: Array, dtype: np.dtype) -> Array:
    """float64 `values` in `dtype`, rounded to nearest, ties to even, once."""
    if format_of(dtype).name != "bfloat16":
        return np.asarray(values.astype(dtype))
    # ml_dtypes goes by way of float32 and so rounds twice.  Rounding to odd on the way keeps
    # what the second rounding needs to know (Boldo and Melquiond, "Emulation of FMA and
    # correctly rounded sums: proved algorithms using rounding to odd", IEEE TC 57, 2008).
    nearest = np.asarray(values.astype(np.float32))
    back = nearest.astype(np.float64)
    word = nearest.view(np.uint32)
    word = np.where(np.abs(back) > np.abs(values), word - np.uint32(1), word)
    word = np.where((back != values) & ~np.isnan(values), word | np.uint32(1), word)
    return np.asarray(word.astype(np.uint32).view(np.float32).astype(dtype))
