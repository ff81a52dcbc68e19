"""What happens to one element, as bits, in a kernel of numba.cuda; and to the two words that hold some.

``forward(v, slope)`` and ``backward(g, v, slope)`` take an element's bits; `slope` is a float32, rounded to
the dtype, or a float64 for float64.  16-bit products are taken in float32, where they are exact, and rounded
once, half to even.  The copies (`flip`, `xor`) are what the ceilings of a benchmark do.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from kernels.gpu.cuda_words import bits_of, bits_of_double, device, double_of, float_of, from_half, to_half

__all__ = ["ELEMENT_BITS", "ElementBits", "element", "paired", "paired_backward", "to_bfloat"]

Function = Callable[..., Any]


@dataclass(frozen=True, slots=True)
class ElementBits:
    """A dtype's bits: the unsigned type that carries it, its infinity, and what `scale` does in it."""

    carrier: Any
    infinity: int
    scale: Function

    @property
    def sign(self) -> int:
        """The sign bit."""
        return int(1 << (8 * np.dtype(self.carrier).itemsize - 1))


def _scale32(v: Any, slope: Any) -> Any:
    return bits_of(float_of(v) * slope)


def _scale64(v: Any, slope: Any) -> Any:
    return bits_of_double(double_of(v) * slope)


def _scale_half(v: Any, slope: Any) -> Any:
    return to_half(from_half(v) * slope)


def _to_bfloat(value: Any) -> Any:
    bits = bits_of(value)
    if value != value:  # noqa: PLR0124  # NaN is not itself
        return np.uint16((bits >> np.uint32(16)) | np.uint32(0x40))
    odd = np.uint32((bits >> np.uint32(16)) & np.uint32(1))
    return np.uint16(np.uint32(bits + np.uint32(0x7FFF) + odd) >> np.uint32(16))


to_bfloat = device(_to_bfloat)
"""The bits of the nearest bfloat16 of a float32, ties to even."""


def _scale_bfloat(v: Any, slope: Any) -> Any:
    return to_bfloat(float_of(np.uint32(np.uint32(v) << np.uint32(16))) * slope)


ELEMENT_BITS = {
    "float16": ElementBits(np.uint16, 0x7C00, device(_scale_half)),
    "bfloat16": ElementBits(np.uint16, 0x7F80, device(_scale_bfloat)),
    "float32": ElementBits(np.uint32, 0x7F800000, device(_scale32)),
    "float64": ElementBits(np.uint64, 0x7FF0000000000000, device(_scale64)),
}


def element(work: str, form: ElementBits) -> Function:
    """The element function `work`: relu, leaky_relu, copy or flip; relu_grad, leaky_relu_grad or xor."""
    zero, sign, infinity = form.carrier(0), form.carrier(form.sign), form.carrier(form.infinity)
    low, scale = form.carrier(form.sign | form.infinity), form.scale  # -0 ... -inf: negative, or zero

    def relu(v: Any, slope: Any) -> Any:
        return zero if sign <= v <= low else v

    def leaky_relu(v: Any, slope: Any) -> Any:
        return scale(v, slope) if sign <= v <= low else v

    def copy(v: Any, slope: Any) -> Any:
        return v

    def flip(v: Any, slope: Any) -> Any:
        return form_type(v ^ sign)

    def relu_grad(g: Any, v: Any, slope: Any) -> Any:
        return g if zero < v <= infinity else zero

    def leaky_relu_grad(g: Any, v: Any, slope: Any) -> Any:
        return g if zero < v <= infinity else scale(g, slope)

    def xor(g: Any, v: Any, slope: Any) -> Any:
        return form_type(g ^ v)

    form_type = form.carrier
    works = (relu, leaky_relu, copy, flip, relu_grad, leaky_relu_grad, xor)
    return device(next(each for each in works if each.__name__ == work))  # type: ignore[no-any-return]


def paired(one: Function, form: ElementBits) -> Function:
    """``one(v, slope)`` on all elements in two 32-bit words: ``(a, b, slope) -> (a, b)``."""
    half, double = np.uint32(16), np.uint64(32)
    mask, word = np.uint32(0xFFFF), np.uint64(0xFFFFFFFF)

    def narrow(a: Any, b: Any, slope: Any) -> Any:
        a_low, a_high = one(np.uint16(a & mask), slope), one(np.uint16(a >> half), slope)
        b_low, b_high = one(np.uint16(b & mask), slope), one(np.uint16(b >> half), slope)
        a = np.uint32(a_low) | np.uint32(np.uint32(a_high) << half)
        b = np.uint32(b_low) | np.uint32(np.uint32(b_high) << half)
        return np.uint32(a), np.uint32(b)

    def single(a: Any, b: Any, slope: Any) -> Any:
        return np.uint32(one(a, slope)), np.uint32(one(b, slope))

    def wide(a: Any, b: Any, slope: Any) -> Any:
        v = one(np.uint64(a) | (np.uint64(b) << double), slope)
        return np.uint32(v & word), np.uint32(v >> double)

    return device({2: narrow, 4: single, 8: wide}[np.dtype(form.carrier).itemsize])  # type: ignore[no-any-return]


def paired_backward(one: Function, form: ElementBits) -> Function:
    """``one(g, v, slope)`` on all elements in two words each: ``(ga, gb, a, b, slope) -> (a, b)``."""
    half, double = np.uint32(16), np.uint64(32)
    mask, word = np.uint32(0xFFFF), np.uint64(0xFFFFFFFF)

    def both(g: Any, v: Any, slope: Any) -> Any:
        low = one(np.uint16(g & mask), np.uint16(v & mask), slope)
        high = one(np.uint16(g >> half), np.uint16(v >> half), slope)
        return np.uint32(np.uint32(low) | np.uint32(np.uint32(high) << half))

    pair = device(both)

    def narrow(ga: Any, gb: Any, a: Any, b: Any, slope: Any) -> Any:
        return pair(ga, a, slope), pair(gb, b, slope)

    def single(ga: Any, gb: Any, a: Any, b: Any, slope: Any) -> Any:
        return np.uint32(one(ga, a, slope)), np.uint32(one(gb, b, slope))

    def wide(ga: Any, gb: Any, a: Any, b: Any, slope: Any) -> Any:
        g, v = np.uint64(ga) | (np.uint64(gb) << double), np.uint64(a) | (np.uint64(b) << double)
        r = one(g, v, slope)
        return np.uint32(r & word), np.uint32(r >> double)

    return device({2: narrow, 4: single, 8: wide}[np.dtype(form.carrier).itemsize])  # type: ignore[no-any-return]
