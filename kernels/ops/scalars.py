"""The words for one element that ops are written in.

As they stand they work on a NumPy scalar.  `kernels.numba_cpu.elements` says what they are in compiled code,
where a 16-bit float is an integer.  Imports nothing.
"""

from __future__ import annotations

from typing import Any

__all__ = ["at_most_zero", "positive", "product", "zero"]


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
