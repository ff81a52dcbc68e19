"""The compiled loops: one function for each element, dtype, shape and kind of store, made when asked for.

Each takes integer addresses and is called through its entry point, past Numba's dispatch on types.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from llvmlite import ir  # type: ignore[import-untyped]  # it carries no type hints
from numba import njit, types
from numba.core import cgutils
from numba.extending import intrinsic

from kernels.numba_cpu.entry import Entry, digest, entry_of, jit
from kernels.tuned import bit_loops, elements, half_floats, simd, tiles
from kernels.tuned.bit_loops import emit_restore, emit_save
from kernels.tuned.elements import CARRIERS, ELEMENTS, gradient, positive
from kernels.tuned.simd import Memory, Sweep, emit_line, emit_pairs, emit_strided
from kernels.tuned.tiles import Tiles, emit_tiles

__all__ = [
    "LINE_TYPE",
    "STRIDED_TYPE",
    "TILES_TYPE",
    "Loop",
    "assembly",
    "cache_hit",
    "native",
    "serial",
]

_DIGEST = digest(simd, bit_loops, elements, half_floats, tiles)


@dataclass(frozen=True, slots=True)
class Loop:
    """Which loop: an element of `ELEMENTS`, a dtype of `CARRIERS`, and how memory is walked.

    shapes: ``line`` (contiguous), ``pairs`` (inputs ``[::2]``, target contiguous), ``strided``
    (any), ``tiles`` (inputs transposed against the target), ``save`` and ``restore`` (contiguous, with
    a bit for each element: forward writes it, backward reads it in place of x).
    """

    element: str
    dtype: str
    shape: str = "line"
    streaming: bool = False

    @property
    def name(self) -> str:
        """A name for files and for Numba, new whenever the code that emits the loop changes."""
        store = "stream" if self.streaming else "plain"
        return "_".join((self.element, self.dtype, self.shape, store, _DIGEST))

    @classmethod
    def of(cls, name: str) -> Loop:
        """The loop of that name."""
        *element, dtype, shape, store, _ = name.split("_")
        return cls("_".join(element), dtype, shape, store == "stream")

    @property
    def itemsize(self) -> int:
        """Bytes in one element."""
        return CARRIERS[self.dtype].itemsize

    def sweep(self, builder: ir.IRBuilder, arguments: Sequence[ir.Value]) -> Sweep:
        """The loop's arguments (target, a, b, n, slope) as the emitters take them."""
        target, a, b, n, slope = arguments
        carrier, kind = CARRIERS[self.dtype], ELEMENTS[self.element]
        emit = gradient if self.shape == "restore" else kind.emit
        inputs = 1 if self.shape == "restore" else kind.inputs

        def element(builder: ir.IRBuilder, values: Sequence[ir.Value], scalar: ir.Value) -> ir.Value:
            return emit(builder, carrier, kind.op, values, scalar)

        return Sweep(
            Memory(builder, carrier.type, carrier.itemsize), element, target, [a, b][:inputs], n, slope
        )

    def mask(self, builder: ir.IRBuilder, x: ir.Value) -> ir.Value:
        """Where the gradient passes as it is."""
        return positive(builder, CARRIERS[self.dtype], ELEMENTS[self.element].op, x)


_WORD = types.intp
_SLOPE = types.float64
LINE_TYPE = types.void(_WORD, _WORD, _WORD, _WORD, _SLOPE)
STRIDED_TYPE = types.void(*LINE_TYPE.args, _WORD, _WORD, _WORD)
TILES_TYPE = types.void(*LINE_TYPE.args, _WORD, _WORD)


def _split(values: Sequence[ir.Value]) -> tuple[Sequence[ir.Value], Sequence[ir.Value]]:
    return values[: len(LINE_TYPE.args)], values[len(LINE_TYPE.args) :]


def _emit_walk(_: Any, name: Any, arguments: Any) -> Any:
    """Emit the loop of that name; `arguments` is a tuple of its shape's type."""
    loop = Loop.of(name.literal_value)

    def generate(context: Any, builder: ir.IRBuilder, _: Any, values: Any) -> Any:
        first, more = _split(cgutils.unpack_tuple(builder, values[1]))  # type: ignore[no-untyped-call]  # Numba's own
        sweep = loop.sweep(builder, first)
        if loop.shape == "line":
            emit_line(sweep, loop.streaming)
        elif loop.shape == "pairs":
            emit_pairs(sweep, loop.streaming)
        elif loop.shape == "strided":
            emit_strided(sweep, more[: 1 + len(sweep.inputs)])
        elif loop.shape == "save":
            emit_save(sweep, first[2], loop.mask, loop.streaming)
        elif loop.shape == "restore":
            emit_restore(sweep, first[2], loop.streaming)
        else:
            emit_tiles(Tiles(sweep, *more), loop.streaming)
        return context.get_dummy_value()

    return types.void(name, arguments), generate


_walk: Any = intrinsic(prefer_literal=True)(_emit_walk)


def _function(loop: Loop) -> tuple[Callable[..., None], Any]:
    """The Python function that stands for the loop, and its type."""
    name = loop.name
    if loop.shape == "strided":

        def strided(target, a, b, n, slope, to, by_a, by_b):  # type: ignore[no-untyped-def]  # noqa: PLR0917  # a signature's
            _walk(name, (target, a, b, n, slope, to, by_a, by_b))

        return strided, STRIDED_TYPE
    if loop.shape == "tiles":

        def tiles(target, a, b, rows, slope, columns, pitch):  # type: ignore[no-untyped-def]  # noqa: PLR0917  # as above
            _walk(name, (target, a, b, rows, slope, columns, pitch))

        return tiles, TILES_TYPE

    def walk(target, a, b, n, slope):  # type: ignore[no-untyped-def]  # as above
        _walk(name, (target, a, b, n, slope))

    return walk, LINE_TYPE


@functools.cache
def _compiled(loop: Loop) -> Any:
    function, signature = _function(loop)
    return jit(function, f"loop_{loop.name}", signature)


@functools.cache
def serial(loop: Loop) -> Entry:
    """``(target, a, b, n, slope)``: addresses, a count of elements, the slope rounded to the dtype.

    strided: followed by the byte strides of target, a and b.  tiles: n is the target's number of
    rows; followed by its columns and the sources' row length.  save, restore: b is the address of the
    bits; otherwise it is dy's, or anything where the element reads one input.
    """
    return entry_of(_compiled(loop))


@functools.cache
def native(loop: Loop) -> int:
    """The address of the loop in machine code, for `kernels.tuned.parallel`, by Numba's calling convention."""
    (overload,) = _compiled(loop).overloads.values()
    address: int = overload.library.get_pointer_to_function(overload.fndesc.llvm_func_name)
    return address


def assembly(loop: Loop) -> str:
    """What the host executes, as text."""
    function, signature = _function(loop)  # compiled anew: Numba keeps no text of what it fetches
    return "\n".join(njit(signature, error_model="numpy")(function).inspect_asm().values())


def cache_hit(loop: Loop) -> bool:
    """Whether the loop came from the on-disk cache."""
    return bool(_compiled(loop).stats.cache_hits)
