"""Loops that save one bit an element, where the gradient passes, and loops that read it back, as LLVM IR.

The gradient of ReLU needs no more of x than that.  Bit i % 8 of byte i // 8 belongs to element i,
as in ``numpy.packbits(..., bitorder="little")``.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from llvmlite import ir  # type: ignore[import-untyped]  # it carries no type hints

from kernels.tuned.simd import Sweep, counted, fence, i64

__all__ = ["emit_restore", "emit_save"]

_I8 = ir.IntType(8)
Positive = Callable[[ir.IRBuilder, ir.Value], ir.Value]
"""The mask of i1 that belongs to a loaded x."""


def emit_save(sweep: Sweep, bits: ir.Value, positive: Positive, streaming: bool) -> None:
    """``target[i] = element(x[i])``, and its bit.  Streaming asks for a target on a cache line."""

    def step(index: ir.Value) -> None:
        x = memory.load(memory.at(sweep.inputs[0], index), lanes)
        packed = builder.bitcast(positive(builder, x), ir.IntType(lanes))
        sweep.put([x], memory.at(sweep.target, index), streaming)
        pointer = builder.inttoptr(_byte(builder, bits, index), ir.PointerType(packed.type))
        builder.store(packed, pointer, align=1)

    def one(index: ir.Value) -> None:
        x = memory.load(memory.at(sweep.inputs[0], index))
        shift = builder.trunc(builder.and_(index, i64(7)), _I8)
        bit = builder.shl(builder.zext(positive(builder, x), _I8), shift)
        pointer = builder.inttoptr(_byte(builder, bits, index), ir.PointerType(_I8))
        # The first bit of a byte starts it anew; all eight are written by this loop.
        begins = builder.icmp_unsigned("==", shift, ir.Constant(_I8, 0))
        others = builder.select(begins, ir.Constant(_I8, 0), builder.load(pointer, align=1))
        builder.store(builder.or_(others, bit), pointer, align=1)
        sweep.put([x], memory.at(sweep.target, index))

    memory = sweep.memory
    builder, lanes = memory.builder, max(memory.lanes, 8)  # whole bytes of bits
    index = counted(builder, i64(0), sweep.n, lanes, step)
    counted(builder, index, sweep.n, 1, one)
    if streaming:
        fence(builder)


def emit_restore(sweep: Sweep, bits: ir.Value, streaming: bool) -> None:
    """``target[i] = element(bit of i, dy[i])``.  Streaming asks for a target on a cache line."""

    def step(index: ir.Value) -> None:
        packed: Any = builder.load(
            builder.inttoptr(_byte(builder, bits, index), ir.PointerType(ir.IntType(lanes))), align=1
        )
        mask = builder.bitcast(packed, ir.VectorType(ir.IntType(1), lanes))
        dy = memory.load(memory.at(sweep.inputs[0], index), lanes)
        sweep.put([mask, dy], memory.at(sweep.target, index), streaming)

    def one(index: ir.Value) -> None:
        byte = builder.load(builder.inttoptr(_byte(builder, bits, index), ir.PointerType(_I8)), align=1)
        shift = builder.trunc(builder.and_(index, i64(7)), _I8)
        mask = builder.trunc(builder.lshr(byte, shift), ir.IntType(1))
        sweep.put([mask, memory.load(memory.at(sweep.inputs[0], index))], memory.at(sweep.target, index))

    memory = sweep.memory
    builder, lanes = memory.builder, max(memory.lanes, 8)  # whole bytes of bits
    index = counted(builder, i64(0), sweep.n, lanes, step)
    counted(builder, index, sweep.n, 1, one)
    if streaming:
        fence(builder)


def _byte(builder: ir.IRBuilder, bits: ir.Value, index: ir.Value) -> ir.Value:
    return builder.add(bits, builder.lshr(index, i64(3)))
