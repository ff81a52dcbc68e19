"""The words for one element that ops are written in.

As they stand they work on a NumPy scalar.  `kernels.numba_cpu.elements` says what they are in compiled code,
where a 16-bit float is an integer.  Imports nothing.
"""

from __future__ import annotations

from typing import Any

__all__ = ["at_most_zero", "narrowed", "positive", "product", "typed", "widened", "zero"]


def zero(v: Any) -> Any:
    """+0 of v's type."""
    return type(v)(0)


def at_most_zero(v: Any) -> Any:
    """Whether v <= 0: not so for NaN.  In 16 bits +0 is left out, which is 0 anyway, whatever it is multiplied by."""
    return v <= 0


def positive(v: Any) -> Any:
    """Whether v > 0: not so for NaN."""
    return v > 0


def product(v: Any, slope: Any) -> Any:
    """v * slope in v's type; a 16-bit v times a float32 is taken in float32, where it is exact, and rounded once."""
    return type(v)(v * slope)


def widened(v: Any) -> Any:
    """v as the number that is computed with: a 16-bit float in float32, others as they are."""
    return v.astype("float32") if v.itemsize == 2 else v


def narrowed(f: Any, v: Any) -> Any:
    """f in v's type, rounded once."""
    return v.dtype.type(f)


def typed(v: Any, value: Any) -> Any:
    """The number `value` in the type of v, a number that is computed with: float32 stays float32."""
    return type(v)(value)
