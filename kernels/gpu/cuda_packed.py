"""Two 16-bit floats in a 32-bit word, worked on at once by a card's own packed instructions, from sm_80 on.

``forward(w, slope)`` and ``backward(g, w, slope)`` take words; `slope` is a float32 that the dtype holds.  A product is
exact and rounded once, half to even: ``fma.rn`` with -0 as the summand, which leaves even a zero its sign.
``prmt`` with the selector 0xBB99 spreads the sign bit of each half over that half.  The sign is all that forward asks
for; what is +0 stays +0, and a NaN with a sign becomes the NaN that the card makes.  Backward takes a NaN without a
sign for positive, and one with for negative.

Under Numba's simulator each instruction has a twin in NumPy.

Source: PTX ISA, "prmt" (the msb of a selector replicates the sign of a byte), "fma" and "max" (.bf16x2, .f16x2, .NaN).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import ml_dtypes
import numpy as np
from llvmlite import ir  # type: ignore[import-untyped]  # it carries no type hints
from numba import types

from kernels.gpu.cuda_words import SIMULATED, bits_of, device, intrinsic, to_half

__all__ = ["LEAST_CAPABILITY", "single_of", "word_of"]

Function = Callable[..., Any]
LEAST_CAPABILITY = (8, 0)
"""Of a card that has all of the instructions, in both dtypes."""
_SHORT = {"bfloat16": "bf16x2", "float16": "f16x2"}


def _assembled(text: str, arity: int) -> Any:
    """A function of so many words, which is one instruction: ``$0`` is its result, the others are its operands."""

    def codegen(_context: Any, builder: Any, _signature: Any, args: Any) -> Any:
        word = ir.IntType(32)
        constraints = ",".join(["=r", *["r"] * arity])
        return builder.call(ir.InlineAsm(ir.FunctionType(word, [word] * arity), text, constraints), args)

    def of_one(_context: Any, a: Any) -> Any:
        return types.uint32(types.uint32), codegen

    def of_two(_context: Any, a: Any, b: Any) -> Any:
        return types.uint32(types.uint32, types.uint32), codegen

    def of_three(_context: Any, a: Any, b: Any, c: Any) -> Any:
        return types.uint32(types.uint32, types.uint32, types.uint32), codegen

    return intrinsic((of_one, of_two, of_three)[arity - 1])


def _halves(dtype: str, word: Any) -> Any:
    kind = ml_dtypes.bfloat16 if dtype == "bfloat16" else np.float16
    return np.array([word], np.uint32).view(kind)


def _simulated(dtype: str) -> tuple[Function, Function, Function]:
    """The twins."""

    def signs(w: Any) -> Any:
        return np.array(
            [0xFFFF if half >> 15 else 0 for half in _halves(dtype, w).view(np.uint16)], np.uint16
        ).view(np.uint32)[0]

    def fma(a: Any, b: Any, c: Any) -> Any:
        with np.errstate(all="ignore"):
            exact = _halves(dtype, a).astype(np.float32) * _halves(dtype, b).astype(np.float32)
            rounded = exact.astype(_halves(dtype, a).dtype)
        return (
            np.where(np.isnan(exact), np.uint16(0x7FFF), rounded.view(np.uint16))
            .astype(np.uint16)
            .view(np.uint32)[0]
        )

    def larger(a: Any, b: Any) -> Any:
        half = _halves(dtype, a)
        kept = np.where(half.view(np.uint16) >> 15, np.uint16(0), half.view(np.uint16))
        return np.where(np.isnan(half), np.uint16(0x7FFF), kept).astype(np.uint16).view(np.uint32)[0]

    return signs, fma, larger


def _instructions(dtype: str) -> tuple[Function, Function, Function]:
    """The sign of each half all over it; a * b + c, rounded once; the larger of a and b, NaN if one of them is."""
    if SIMULATED:
        return _simulated(dtype)
    short = _SHORT[dtype]
    return (
        _assembled("prmt.b32 $0, $1, $1, 0xBB99;", 1),
        _assembled(f"fma.rn.{short} $0, $1, $2, $3;", 3),
        _assembled(f"max.NaN.{short} $0, $1, $2;", 2),
    )


def _doubled(dtype: str) -> Function:
    """The slope in both halves of a word, of a float32."""
    high, half = np.uint32(0xFFFF0000), np.uint32(16)

    def of_bfloat(slope: Any) -> Any:
        upper = np.uint32(bits_of(slope) & high)
        return np.uint32(upper | np.uint32(upper >> half))

    def of_half(slope: Any) -> Any:
        lower = np.uint32(to_half(slope))
        return np.uint32(lower | np.uint32(lower << half))

    return device(of_bfloat if dtype == "bfloat16" else of_half)  # type: ignore[no-any-return]


def word_of(work: str, dtype: str) -> Function:
    """The word function `work`: relu, leaky_relu, copy or flip; relu_grad, leaky_relu_grad or xor."""
    signs, fma, larger = _instructions(dtype)
    doubled = _doubled(dtype)
    nought, minus, rest = np.uint32(0), np.uint32(0x80008000), np.uint32(0x7FFF7FFF)

    def relu(w: Any, slope: Any) -> Any:
        return larger(w, nought)

    def leaky_relu(w: Any, slope: Any) -> Any:
        negative = signs(w)
        scaled = fma(w, doubled(slope), minus)
        return np.uint32((scaled & negative) | (w & ~negative))

    def copy(w: Any, slope: Any) -> Any:
        return np.uint32(w)

    def flip(w: Any, slope: Any) -> Any:
        return np.uint32(w ^ minus)

    def above(w: Any) -> Any:
        # the sum has a sign where the magnitude is not 0, and no half carries into the other
        return signs(np.uint32(np.uint32(np.uint32(w & rest) + rest) & ~w))

    positive = device(above)

    def relu_grad(g: Any, w: Any, slope: Any) -> Any:
        return np.uint32(g & positive(w))

    def leaky_relu_grad(g: Any, w: Any, slope: Any) -> Any:
        passed = positive(w)
        scaled = fma(g, doubled(slope), minus)
        return np.uint32((g & passed) | (scaled & ~passed))

    def xor(g: Any, w: Any, slope: Any) -> Any:
        return np.uint32(g ^ w)

    works = (relu, leaky_relu, copy, flip, relu_grad, leaky_relu_grad, xor)
    return device(next(each for each in works if each.__name__ == work))  # type: ignore[no-any-return]


def single_of(word: Function, inputs: int) -> Function:
    """The same on one element of 16 bits, so that the end of an array is treated as all of it."""
    mask = np.uint32(0xFFFF)

    def of_one(v: Any, slope: Any) -> Any:
        return np.uint16(word(np.uint32(v), slope) & mask)

    def of_two(g: Any, v: Any, slope: Any) -> Any:
        return np.uint16(word(np.uint32(g), np.uint32(v), slope) & mask)

    return device(of_one if inputs == 1 else of_two)  # type: ignore[no-any-return]
