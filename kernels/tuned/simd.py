"""Vector loads, plain and streaming stores, and the loops around them, as LLVM IR.

Numba's own loops cannot ask for a non-temporal ("streaming") store, which writes a whole cache
line without reading it first and leaves it out of the cache.  Here the loops are spelled out for
LLVM: an *element* (a function that emits the arithmetic for one scalar or one vector) is put
into a loop over memory that is contiguous (`emit_line`), every second element of an
array (`emit_pairs`), or any fixed stride (`emit_strided`).  Addresses are integers, so that a
compiled kernel takes no arrays, which Numba would unpack at each call.

Sources: LLVM Language Reference, "nontemporal metadata" and "fence"; Intel 64 SDM volume 1,
10.4.6.2, "Caching of temporal vs. non-temporal data" (weakly ordered, hence the fence).
"""

from __future__ import annotations

import platform
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import llvmlite.binding  # type: ignore[import-untyped]  # it carries no type hints
from llvmlite import ir
from numba.core import cgutils

__all__ = [
    "HALF_CONVERSIONS",
    "LINE",
    "MACHINE",
    "STREAMING",
    "VECTOR_BYTES",
    "Element",
    "Memory",
    "Sweep",
    "counted",
    "emit_line",
    "emit_pairs",
    "emit_strided",
    "fence",
    "i64",
]

LINE = 64
"""Bytes in a cache line; streaming stores start on one, so that each line is written whole."""

MACHINE = platform.machine().lower()
_FEATURES = llvmlite.binding.get_host_cpu_features()
_X86 = MACHINE in ("x86_64", "amd64")

STREAMING = _X86
"""Whether this host has streaming stores that LLVM emits; elsewhere all stores are plain ones."""

HALF_CONVERSIONS = bool(_FEATURES.get("f16c")) if _X86 else MACHINE in ("aarch64", "arm64")
"""Whether float16 is converted by an instruction; elsewhere it is done by arithmetic on the bits."""


def _vector_bytes() -> int:
    if _FEATURES.get("avx512f") and _FEATURES.get("avx512bw"):
        return 64
    return 32 if _FEATURES.get("avx2") else 16


VECTOR_BYTES = _vector_bytes()
"""Bytes in the host's widest vector register: 64 with AVX-512, 32 with AVX2, else 16."""

_UNROLL = 4
"""Vectors a turn of a plain loop."""
_STREAM_UNROLL = 8
"""Vectors a turn of a streaming loop: whole cache lines, several at once."""
_AHEAD = 1024
"""Bytes ahead of a streaming loop from which its input is prefetched."""
_I64 = ir.IntType(64)

Element = Callable[[ir.IRBuilder, Sequence[ir.Value], ir.Value], ir.Value]
"""``element(builder, inputs, scalar) -> result``, on scalars as on vectors of any number of lanes."""


def i64(value: int) -> ir.Constant:
    """A 64-bit integer constant."""
    return ir.Constant(_I64, value)


def counted(
    builder: ir.IRBuilder, start: ir.Value, stop: ir.Value, step: int, body: Callable[[ir.Value], None]
) -> ir.Value:
    """Emit ``while i + step <= stop: body(i); i += step`` and return the first `i` left over."""
    before = builder.block
    head, inside, after = (builder.append_basic_block(name) for name in ("head", "body", "after"))
    builder.branch(head)
    builder.position_at_end(head)
    index = builder.phi(_I64)
    following = builder.add(index, i64(step))
    builder.cbranch(builder.icmp_signed("<=", following, stop), inside, after)
    builder.position_at_end(inside)
    body(index)
    index.add_incoming(start, before)
    index.add_incoming(following, builder.block)
    builder.branch(head)
    builder.position_at_end(after)
    return index


def fence(builder: ir.IRBuilder) -> None:
    """Make all streaming stores so far visible before anything that follows."""
    builder.fence("seq_cst")


@dataclass(frozen=True, slots=True)
class Memory:
    """Loads and stores of one element type through integer addresses; unaligned unless streaming."""

    builder: ir.IRBuilder
    type: ir.Type
    itemsize: int

    @property
    def lanes(self) -> int:
        """Elements in a vector register."""
        return VECTOR_BYTES // self.itemsize

    def at(self, address: ir.Value, index: ir.Value, stride: ir.Value | None = None) -> ir.Value:
        """The address of element `index`; `stride` is in bytes, the item size by default."""
        step = i64(self.itemsize) if stride is None else stride
        return self.builder.add(address, self.builder.mul(index, step))

    def load(self, address: ir.Value, lanes: int = 1) -> Any:
        """One element, or a vector of `lanes`."""
        kind = self._kind(lanes)
        pointer = self.builder.inttoptr(address, ir.PointerType(kind))
        return self.builder.load(pointer, align=1)

    def store(self, value: ir.Value, address: ir.Value, streaming: bool = False) -> None:
        """Write `value`; a streaming store needs an address that is a multiple of the vector's size."""
        pointer = self.builder.inttoptr(address, ir.PointerType(value.type))
        size = getattr(value.type, "count", 1) * self.itemsize
        written = self.builder.store(value, pointer, align=size if streaming else 1)
        if streaming:
            one = ir.Constant(ir.IntType(32), 1)
            written.set_metadata("nontemporal", self.builder.module.add_metadata([one]))

    def prefetch(self, address: ir.Value, size: int) -> None:
        """Ask for the `size` bytes that stand `_AHEAD` of `address`, past the caches where there is a choice."""
        builder, byte, flag = self.builder, ir.PointerType(ir.IntType(8)), ir.IntType(32)
        kind = ir.FunctionType(ir.VoidType(), [byte, flag, flag, flag])
        function = cgutils.get_or_insert_function(builder.module, kind, "llvm.prefetch.p0")  # type: ignore[no-untyped-call]  # Numba's own
        for line in range(0, size, LINE):
            place = builder.inttoptr(builder.add(address, i64(_AHEAD + line)), byte)
            # a read, non-temporal, of data: LLVM Language Reference, "llvm.prefetch"
            builder.call(function, [place, *(ir.Constant(flag, value) for value in (0, 0, 1))])

    def _kind(self, lanes: int) -> ir.Type:
        return self.type if lanes == 1 else ir.VectorType(self.type, lanes)


@dataclass(frozen=True, slots=True)
class Sweep:
    """``target[i] = element(inputs[i]..., scalar)`` for `n` elements; any input may be the target too."""

    memory: Memory
    element: Element
    target: ir.Value
    inputs: Sequence[ir.Value]
    n: ir.Value
    scalar: ir.Value

    def put(self, values: Sequence[ir.Value], place: ir.Value, streaming: bool = False) -> None:
        """Compute from loaded `values` and store."""
        self.memory.store(self.element(self.memory.builder, values, self.scalar), place, streaming)


def emit_line(sweep: Sweep, streaming: bool) -> None:
    """Contiguous arrays.  Streaming asks for a target aligned to its item size."""

    def step(count: int, index: ir.Value, stream: bool = False) -> None:
        values = [memory.load(memory.at(address, index), count) for address in sweep.inputs]
        sweep.put(values, memory.at(sweep.target, index), stream)

    def unrolled(index: ir.Value) -> None:
        places = [builder.add(index, i64(part * lanes)) for part in range(unroll)]
        if streaming:
            for address in sweep.inputs:
                memory.prefetch(memory.at(address, index), unroll * VECTOR_BYTES)
        loaded = [[memory.load(memory.at(a, place), lanes) for a in sweep.inputs] for place in places]
        for values, place in zip(loaded, places, strict=True):
            sweep.put(values, memory.at(sweep.target, place), streaming)

    unroll = _STREAM_UNROLL if streaming else _UNROLL
    memory, n = sweep.memory, sweep.n
    builder, lanes = memory.builder, memory.lanes
    index: ir.Value = i64(0)
    if streaming:
        index = counted(builder, index, _until_line(sweep), 1, lambda i: step(1, i))
    index = counted(builder, index, n, lanes * unroll, unrolled)
    index = counted(builder, index, n, lanes, lambda i: step(lanes, i, streaming))
    counted(builder, index, n, 1, lambda i: step(1, i))
    if streaming:
        fence(builder)


def emit_pairs(sweep: Sweep, streaming: bool) -> None:
    """As `emit_line`, with inputs of which every second element counts: ``x[::2]``.

    Whole vectors are loaded and their even lanes kept.  The last elements are loaded one by one:
    what would lie behind the last one may belong to nobody.
    """

    def step(index: ir.Value) -> None:
        values = [_even_lanes(memory, memory.at(address, index, double)) for address in sweep.inputs]
        sweep.put(values, memory.at(sweep.target, index), streaming)

    def one(index: ir.Value) -> None:
        values = [memory.load(memory.at(address, index, double)) for address in sweep.inputs]
        sweep.put(values, memory.at(sweep.target, index))

    memory, n = sweep.memory, sweep.n
    builder, double = memory.builder, i64(2 * memory.itemsize)
    index: ir.Value = i64(0)
    if streaming:
        index = counted(builder, index, _until_line(sweep), 1, one)
    index = counted(builder, index, builder.sub(n, i64(1)), memory.lanes, step)
    counted(builder, index, n, 1, one)
    if streaming:
        fence(builder)


def emit_strided(sweep: Sweep, strides: Sequence[ir.Value]) -> None:
    """One element after the other; `strides` in bytes: the target's, then one for each input."""

    def one(index: ir.Value) -> None:
        places = [
            memory.at(address, index, by) for address, by in zip(sweep.inputs, strides[1:], strict=True)
        ]
        sweep.put([memory.load(place) for place in places], memory.at(sweep.target, index, strides[0]))

    memory = sweep.memory
    counted(memory.builder, i64(0), sweep.n, 1, one)


def _even_lanes(memory: Memory, address: ir.Value) -> ir.Value:
    builder, lanes = memory.builder, memory.lanes
    low = memory.load(address, lanes)
    high = memory.load(builder.add(address, i64(VECTOR_BYTES)), lanes)
    chosen = ir.Constant(ir.VectorType(ir.IntType(32), lanes), list(range(0, 2 * lanes, 2)))
    return builder.shuffle_vector(low, high, chosen)


def _until_line(sweep: Sweep) -> ir.Value:
    """How many elements stand before the target's first line boundary, at most `n`."""
    builder, n = sweep.memory.builder, sweep.n
    gap = builder.and_(builder.neg(sweep.target), i64(LINE - 1))
    head = builder.udiv(gap, i64(sweep.memory.itemsize))
    return builder.select(builder.icmp_signed("<", head, n), head, n)
