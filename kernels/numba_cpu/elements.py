"""The words of `kernels.ops.scalars` in compiled code, for the type that holds an element.

Numba has no arithmetic in 16 bits, so float16 travels as uint16 and bfloat16 as int16, and that type
chooses what a word means: floats are compared and multiplied, 16-bit floats by their bits.  Their
product is taken in float32, where it is exact, and rounded once, half to even.

Sources: IEEE 754 layouts; the float16 conversions are F. Giesen's, "float->half variants" (2012,
public domain), written without branches on the value so that LLVM vectorises them.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numba import types
from numba.extending import overload, register_jitable

from kernels.ops import scalars

__all__ = ["CARRIER"]

CARRIER = {"float16": np.dtype(np.uint16), "bfloat16": np.dtype(np.int16)}
"""The integer type under which a 16-bit float travels; the others travel as themselves."""

# bfloat16 as int16: -0 is -32768, -inf is -128, negative NaNs lie above it, +inf is 32640.
# float16 as uint16: +inf is 0x7C00, -0 is 0x8000, -inf is 0xFC00, NaNs lie above the infinities.


@overload(scalars.zero, strict=False, inline="always")  # strict compares annotations too
def _zero(v: types.Type) -> Callable[..., Any]:
    if v == types.uint16:
        return lambda v: np.uint16(0)
    if v == types.int16:
        return lambda v: np.int16(0)
    nought = np.float32(0) if v == types.float32 else np.float64(0)
    return lambda v: nought


@overload(scalars.at_most_zero, strict=False, inline="always")  # as above
def _at_most_zero(v: types.Type) -> Callable[..., Any]:
    if v == types.uint16:
        return lambda v: 0x8000 <= v <= 0xFC00
    if v == types.int16:
        return lambda v: v <= -128
    nought = np.float32(0) if v == types.float32 else np.float64(0)
    return lambda v: v <= nought


@overload(scalars.positive, strict=False, inline="always")  # as above
def _positive(v: types.Type) -> Callable[..., Any]:
    if v == types.uint16:
        return lambda v: 0 < v <= 0x7C00
    if v == types.int16:
        return lambda v: 0 < v <= 0x7F80
    nought = np.float32(0) if v == types.float32 else np.float64(0)
    return lambda v: v > nought


@overload(scalars.product, strict=False, inline="always")  # as above
def _product(v: types.Type, slope: types.Type) -> Callable[..., Any]:
    if v == types.uint16:
        return lambda v, slope: _to_half(_from_half(v) * slope)
    if v == types.int16:
        return lambda v, slope: _to_bfloat(_from_bfloat(v) * slope)
    return lambda v, slope: v * slope


@overload(scalars.widened, strict=False, inline="always")  # as above
def _widened(v: types.Type) -> Callable[..., Any]:
    if v == types.uint16:
        return _from_half
    if v == types.int16:
        return _from_bfloat
    return lambda v: v


@overload(scalars.narrowed, strict=False, inline="always")  # as above
def _narrowed(f: types.Type, v: types.Type) -> Callable[..., Any]:
    if v == types.uint16:
        return lambda f, v: _to_half(f)
    if v == types.int16:
        return lambda f, v: _to_bfloat(f)
    kind = np.float32 if v == types.float32 else np.float64
    return lambda f, v: kind(f)


@overload(scalars.typed, strict=False, inline="always")  # as above
def _typed(v: types.Type, value: types.Type) -> Callable[..., Any]:
    kind = np.float32 if v == types.float32 else np.float64
    return lambda v, value: kind(value)


# Numba adds two uint32 in 64 bits: each sum is cut back, or the loop would use vectors half as wide.


@register_jitable
def _from_bfloat(v: Any) -> Any:
    return np.uint32(np.uint32(np.uint16(v)) << 16).view(np.float32)


@register_jitable
def _to_bfloat(f: Any) -> Any:
    bits = np.float32(f).view(np.uint32)
    odd = np.uint32(np.uint32(bits >> 16) & 1)
    rounded = np.uint32(np.uint32(bits + 0x7FFF) + odd) >> 16
    quiet = np.uint32(bits >> 16) | 0x40
    return np.int16(quiet if np.isnan(f) else rounded)


@register_jitable
def _from_half(v: Any) -> Any:
    magnitude = np.uint32(np.uint32(v & 0x7FFF) << 13)
    normal = np.uint32(magnitude + (112 << 23))  # the exponent's bias: 15 there, 127 here
    unbounded = np.uint32(normal + (112 << 23))  # inf and NaN: exponent 31 becomes 255
    tiny = np.float32(2.0**-14)
    subnormal = np.float32(np.uint32(normal + (1 << 23)).view(np.float32) - tiny).view(np.uint32)
    result = subnormal if magnitude < np.uint32(0x0400 << 13) else normal
    result = unbounded if magnitude >= np.uint32(0x7C00 << 13) else result
    return np.uint32(result | np.uint32(np.uint32(v & 0x8000) << 16)).view(np.float32)


@register_jitable
def _to_half(f: Any) -> Any:
    bits = np.float32(f).view(np.uint32)
    magnitude = np.uint32(bits & 0x7FFFFFFF)
    odd = np.uint32(np.uint32(magnitude >> 13) & 1)
    normal = np.uint32(np.uint32(np.uint32(magnitude - (112 << 23)) + 0xFFF) + odd) >> 13
    half = np.float32(0.5)  # its last bit is worth 2**-24, the smallest subnormal: the sum rounds there
    subnormal = np.float32(magnitude.view(np.float32) + half).view(np.uint32) - half.view(np.uint32)
    result = subnormal if magnitude < np.uint32(113 << 23) else normal
    result = np.uint32(0x7C00) if magnitude >= np.uint32(143 << 23) else result
    result = np.uint32(0x7E00) if magnitude > np.uint32(255 << 23) else result
    return np.uint16(result | np.uint32(np.uint32(bits >> 16) & 0x8000))
