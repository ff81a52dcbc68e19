"""Sixteen bytes at a time, and elements as bits, for kernels compiled by numba.cuda.

Every dtype travels as an unsigned integer of its size: relu and its gradient are then comparisons of bits,
which keep NaN and its payload, and Numba needs no 16-bit arithmetic.  A vector is four 32-bit words.

Loads, stores and casts are LLVM instructions, which Numba's CUDA simulator cannot run: under
NUMBA_ENABLE_CUDASIM=1 each has a twin in NumPy.  All that is arithmetic stands in cuda_elements.py, once.

Sources: PTX ISA, "ld" (.v4: the address is a multiple of 16) and "cvt" (.rn: to nearest, ties to even).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from llvmlite import ir  # type: ignore[import-untyped]  # it carries no type hints
from numba import types

from kernels.gpu.cuda_import import SIMULATED, import_cuda

__all__ = [
    "LOAD_BYTES",
    "SIMULATED",
    "bits_of",
    "bits_of_double",
    "cuda",
    "device",
    "double_of",
    "float_of",
    "from_half",
    "intrinsic",
    "load4",
    "load4_streaming",
    "store4",
    "store4_streaming",
    "to_half",
]

cuda = import_cuda()

from numba.cuda.extending import intrinsic  # noqa: E402  # after numba.cuda, which cannot be imported just so

LOAD_BYTES = 16
"""The widest load that a thread can make."""


def device(function: Callable[..., Any]) -> Any:
    """A function for kernels to call; the simulator takes it as it is."""
    return function if SIMULATED else cuda.jit(device=True)(function)


_WORD = ir.IntType(32)
_VECTOR = ir.VectorType(_WORD, 4)


def _vector_at(context: Any, builder: Any, array_type: Any, array: Any, index: Any) -> Any:
    """The address of 16-byte vector `index` (64 bits) of a contiguous array."""
    data = context.make_array(array_type)(context, builder, array).data
    start = builder.bitcast(data, ir.PointerType(_VECTOR))
    return builder.gep(start, [index], inbounds=True)


def _cast_to(result: Any, kind: ir.Type) -> Callable[..., Any]:
    def typing(_context: Any, value: Any) -> Any:
        def codegen(_context: Any, builder: Any, _signature: Any, args: Any) -> Any:
            return builder.bitcast(args[0], kind)

        return result(value), codegen

    return typing


def _convert(result: Any, into: ir.Type, instruction: str, constraint: str) -> Callable[..., Any]:
    def typing(_context: Any, value: Any) -> Any:
        def codegen(_context: Any, builder: Any, _signature: Any, args: Any) -> Any:
            function = ir.FunctionType(into, [args[0].type])
            return builder.call(ir.InlineAsm(function, f"{instruction} $0, $1;", constraint), args)

        return result(value), codegen

    return typing


if SIMULATED:

    def load4(array: Any, index: Any) -> Any:
        """Vector `index` of a contiguous array, as four words."""
        step = LOAD_BYTES // array.itemsize
        part = np.array([array[index * step + lane] for lane in range(step)], array.dtype)
        return tuple(part.view(np.uint32))

    def store4(array: Any, index: Any, a: Any, b: Any, c: Any, d: Any) -> None:  # noqa: PLR0917
        """Write four words to vector `index` of a contiguous array."""
        step = LOAD_BYTES // array.itemsize
        for lane, value in enumerate(np.array([a, b, c, d], np.uint32).view(array.dtype)):
            array[index * step + lane] = value

    load4_streaming, store4_streaming = load4, store4

    def float_of(bits: Any) -> Any:
        """The float32 of these 32 bits."""
        return np.uint32(bits).view(np.float32)

    def bits_of(value: Any) -> Any:
        """The 32 bits of a float32."""
        return np.float32(value).view(np.uint32)

    def double_of(bits: Any) -> Any:
        """The float64 of these 64 bits."""
        return np.uint64(bits).view(np.float64)

    def bits_of_double(value: Any) -> Any:
        """The 64 bits of a float64."""
        return np.float64(value).view(np.uint64)

    def from_half(bits: Any) -> Any:
        """The float32 that a float16 of these bits is."""
        return np.float32(np.uint16(bits).view(np.float16))

    def to_half(value: Any) -> Any:
        """The bits of the nearest float16, ties to even."""
        with np.errstate(all="ignore"):
            return np.float16(value).view(np.uint16)

else:

    @intrinsic
    def load4(_context: Any, array: Any, index: Any) -> Any:
        """Vector `index` of a contiguous array, as four words: one ld.v4."""

        def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
            address = _vector_at(context, builder, signature.args[0], *args)
            vector = builder.load(address, align=LOAD_BYTES)
            words = [builder.extract_element(vector, _WORD(lane)) for lane in range(4)]
            return context.make_tuple(builder, signature.return_type, words)

        return types.UniTuple(types.uint32, 4)(array, types.int64), codegen  # type: ignore[no-untyped-call]  # Numba's own

    @intrinsic
    def store4(_context: Any, array: Any, index: Any, a: Any, b: Any, c: Any, d: Any) -> Any:  # noqa: PLR0917
        """Write four words to vector `index` of a contiguous array: one st.v4."""

        def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
            address = _vector_at(context, builder, signature.args[0], *args[:2])
            vector = ir.Constant(_VECTOR, ir.Undefined)
            for lane, word in enumerate(args[2:]):
                vector = builder.insert_element(vector, word, _WORD(lane))
            builder.store(vector, address, align=LOAD_BYTES)
            return context.get_dummy_value()

        return types.void(array, types.int64, *[types.uint32] * 4), codegen

    @intrinsic
    def load4_streaming(_context: Any, array: Any, index: Any) -> Any:
        """The same with the hint that nobody reads it again: one ld.cs.v4."""

        def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
            address = _vector_at(context, builder, signature.args[0], *args)
            function = ir.FunctionType(ir.LiteralStructType([_WORD] * 4), [address.type])
            text = "ld.global.cs.v4.u32 {$0, $1, $2, $3}, [$4];"
            vector = builder.call(ir.InlineAsm(function, text, "=r,=r,=r,=r,l", side_effect=True), [address])
            words = [builder.extract_value(vector, lane) for lane in range(4)]
            return context.make_tuple(builder, signature.return_type, words)

        return types.UniTuple(types.uint32, 4)(array, types.int64), codegen  # type: ignore[no-untyped-call]  # as above

    @intrinsic
    def store4_streaming(_context: Any, array: Any, index: Any, a: Any, b: Any, c: Any, d: Any) -> Any:  # noqa: PLR0917
        """The same with the hint that nobody reads it soon: one st.cs.v4."""

        def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
            address = _vector_at(context, builder, signature.args[0], *args[:2])
            function = ir.FunctionType(ir.VoidType(), [address.type, *[_WORD] * 4])
            text = "st.global.cs.v4.u32 [$0], {$1, $2, $3, $4};"
            asm = ir.InlineAsm(function, text, "l,r,r,r,r,~{memory}", side_effect=True)
            builder.call(asm, [address, *args[2:]])
            return context.get_dummy_value()

        return types.void(array, types.int64, *[types.uint32] * 4), codegen

    float_of = intrinsic(_cast_to(types.float32, ir.FloatType()))
    bits_of = intrinsic(_cast_to(types.uint32, _WORD))
    double_of = intrinsic(_cast_to(types.float64, ir.DoubleType()))
    bits_of_double = intrinsic(_cast_to(types.uint64, ir.IntType(64)))
    from_half = intrinsic(_convert(types.float32, ir.FloatType(), "cvt.f32.f16", "=f,h"))
    to_half = intrinsic(_convert(types.uint16, ir.IntType(16), "cvt.rn.f16.f32", "=h,f"))
