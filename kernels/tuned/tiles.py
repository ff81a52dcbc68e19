"""Out-of-place transposition with an element's arithmetic on the way, as LLVM IR.

The source is a C-contiguous (columns, rows) array, the target a C-contiguous (rows, columns) one.
Square tiles are read line by line, transposed in registers by log2(lanes) rounds of exchanges
(J. O. Eklundh, "A fast computer method for matrix transposing", IEEE Trans. Comput. C-21, 1972),
and written line by line, so that each cache line is touched once.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from llvmlite import ir  # type: ignore[import-untyped]  # it carries no type hints

from kernels.tuned.simd import VECTOR_BYTES, Sweep, counted, fence, i64

__all__ = ["Tiles", "emit_tiles", "tile_lanes"]

_MOST_LANES = 16  # a tile of 32 rows would need more vector registers than there are


def tile_lanes(itemsize: int) -> int:
    """Rows, and columns, of one tile."""
    return min(_MOST_LANES, VECTOR_BYTES // itemsize)


@dataclass(frozen=True, slots=True)
class Tiles:
    """Of what a `Sweep` of `n` rows needs to know: the rows' length, and that of the sources' rows."""

    sweep: Sweep
    columns: ir.Value
    pitch: ir.Value

    def source(self, address: ir.Value, row: ir.Value, column: ir.Value) -> ir.Value:
        """The address of what belongs at (row, column) of the target."""
        memory = self.sweep.memory
        return memory.at(address, memory.builder.add(memory.builder.mul(column, self.pitch), row))

    def place(self, row: ir.Value, column: ir.Value) -> ir.Value:
        """The address of (row, column) in the target."""
        memory = self.sweep.memory
        return memory.at(self.sweep.target, memory.builder.add(memory.builder.mul(row, self.columns), column))


def emit_tiles(tiles: Tiles, streaming: bool) -> None:
    """``target[r, c] = element(inputs[c, r]..., scalar)``.

    Streaming asks for a target on a cache line, whole lines in a row of it, and a tile of the
    vector's width.
    """

    def one(row: ir.Value, column: ir.Value) -> None:
        values = [memory.load(tiles.source(address, row, column)) for address in sweep.inputs]
        sweep.put(values, tiles.place(row, column))

    def tile(row: ir.Value, column: ir.Value) -> None:
        blocks = [_transposed(tiles, address, row, column) for address in sweep.inputs]
        for index, values in enumerate(zip(*blocks, strict=True)):
            sweep.put(values, tiles.place(builder.add(row, i64(index)), column), streaming)

    def each(start: ir.Value, stop: ir.Value, body: Callable[[ir.Value], None]) -> None:
        counted(builder, start, stop, 1, body)

    def band(row: ir.Value) -> None:
        column = counted(builder, zero, tiles.columns, lanes, lambda c: tile(row, c))
        below = builder.add(row, i64(lanes))
        each(column, tiles.columns, lambda c: each(row, below, lambda r: one(r, c)))

    sweep, memory, builder = tiles.sweep, tiles.sweep.memory, tiles.sweep.memory.builder
    lanes, zero = tile_lanes(memory.itemsize), i64(0)
    row = counted(builder, zero, sweep.n, lanes, band)
    each(row, sweep.n, lambda r: each(zero, tiles.columns, lambda c: one(r, c)))
    if streaming:
        fence(builder)


def _transposed(tiles: Tiles, address: ir.Value, row: ir.Value, column: ir.Value) -> list[ir.Value]:
    memory, builder = tiles.sweep.memory, tiles.sweep.memory.builder
    lanes = tile_lanes(memory.itemsize)
    block = [
        memory.load(tiles.source(address, row, builder.add(column, i64(index))), lanes)
        for index in range(lanes)
    ]
    half = lanes // 2
    while half:
        for upper in range(lanes):
            if not upper & half:
                block[upper], block[upper + half] = _exchanged(
                    builder, block[upper], block[upper + half], half
                )
        half //= 2
    return block


def _exchanged(
    builder: ir.IRBuilder, upper: ir.Value, lower: ir.Value, half: int
) -> tuple[ir.Value, ir.Value]:
    """Swap the upper row's right blocks with the lower row's left ones; blocks are `half` wide."""
    lanes = upper.type.count
    left = [lane if not lane & half else lanes + lane - half for lane in range(lanes)]
    right = [lane + half if not lane & half else lanes + lane for lane in range(lanes)]
    kind = ir.VectorType(ir.IntType(32), lanes)
    return (
        builder.shuffle_vector(upper, lower, ir.Constant(kind, left)),
        builder.shuffle_vector(upper, lower, ir.Constant(kind, right)),
    )
