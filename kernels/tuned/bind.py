"""From arrays to a compiled loop's arguments: how memory is walked, by how many threads and stores."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from kernels.numba_cpu import threads
from kernels.numba_cpu.entry import Entry, address_of
from kernels.tuned.loops import Loop, native, serial
from kernels.tuned.parallel import safe_driver
from kernels.tuned.simd import LINE, VECTOR_BYTES
from kernels.tuned.tiles import tile_lanes

__all__ = ["Bound", "Mode", "Walk", "bind", "bind_addresses", "streams", "walk_of", "writing"]

Array = np.ndarray[Any, Any]


@dataclass(frozen=True, slots=True)
class Mode:
    """How a loop is run: 1 thread is the caller's own; so many elements are taken at a time, 0: even parts."""

    threads: int = 1
    chunk: int = 0


@dataclass(frozen=True, slots=True)
class Walk:
    """How the memory of a set of arrays is walked: a shape of `Loop`, and what the loop needs for it."""

    shape: str
    n: int
    columns: int = 0
    strides: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class Bound:
    """A call that lacks its target only: ``entry(target_address, *rest)``."""

    entry: Entry
    rest: tuple[Any, ...]


def walk_of(target: Array, inputs: Sequence[Array]) -> Walk | None:
    """How to walk arrays of one shape and dtype; None where no loop fits (more dimensions, odd strides)."""
    arrays = (target, *inputs)
    if all(a.flags.c_contiguous for a in arrays) or all(a.flags.f_contiguous for a in arrays):
        return Walk("line", target.size)
    if target.ndim == 1:
        item = target.itemsize
        if target.strides == (item,) and all(a.strides == (2 * item,) for a in inputs):
            return Walk("pairs", target.size)
        strides = [a.strides[0] for a in arrays]
        return Walk("strided", target.size, strides=(*strides, 0, 0)[:3])
    if target.ndim == 2 and target.flags.c_contiguous and all(a.flags.f_contiguous for a in inputs):
        return Walk("tiles", target.shape[0], columns=target.shape[1])
    return None


def streams(walk: Walk, address: int, itemsize: int) -> bool:
    """Whether streaming stores can be aligned: the target's address, and each row of it for tiles."""
    if address % itemsize:
        return False
    if walk.shape == "tiles":
        row = walk.columns * itemsize
        return address % LINE == 0 and row % LINE == 0 and tile_lanes(itemsize) * itemsize == VECTOR_BYTES
    return walk.shape != "strided"


def bind(
    loop: Loop, walk: Walk, inputs: Sequence[Array], slope: float = 0.0, mode: Mode | None = None
) -> Bound:
    """The call of `loop`, compiled or fetched, over `inputs` (x, then dy), which have to outlive it.

    `slope` is rounded to the dtype.  A streaming loop asks for a target for which `streams` holds.
    """
    addresses = address_of(inputs[0]), address_of(inputs[-1])
    return bind_addresses(loop, walk, addresses, slope, mode or Mode())


def bind_addresses(loop: Loop, walk: Walk, addresses: tuple[int, int], slope: float, mode: Mode) -> Bound:
    """As `bind`, for the addresses a and b of `kernels.tuned.loops.serial`."""
    rest: tuple[Any, ...] = (*addresses, walk.n, slope)
    if walk.shape == "tiles":
        rest += (walk.columns, walk.n)
    if walk.shape == "strided":
        rest += walk.strides
    if mode.threads == 1:
        return Bound(serial(loop), rest)
    chunk = _chunk(walk, loop.itemsize, mode)
    share = (chunk, mode.threads, native(loop), loop.itemsize, threads.FORKED_AT)
    return Bound(safe_driver(walk.shape), rest + share)


def writing(bound: Bound, inputs: Sequence[Array], target: Array) -> Callable[[], Array]:
    """The call that writes `target` and returns it, the shortest way from Python into the loop."""
    entry, arguments = bound.entry, (address_of(target), *bound.rest)

    def call(_kept: object = tuple(inputs)) -> Array:  # the loop knows addresses only
        entry(*arguments)
        return target

    return call


def _chunk(walk: Walk, itemsize: int, mode: Mode) -> int:
    """A chunk in the loop's own units (elements, rows of tiles): whole cache lines, of bits too, or tiles."""
    whole = tile_lanes(itemsize) if walk.shape == "tiles" else LINE // itemsize
    if walk.shape in ("save", "restore"):
        whole = 8 * LINE
    wanted = -(-walk.n // mode.threads)
    if mode.chunk:
        wanted = mode.chunk // max(walk.columns, 1)
    return max(-(-wanted // whole) * whole, whole)
