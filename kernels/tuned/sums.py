"""The gradient of a slope that is learnt, as prelu's: the sum of dy * x where x is not above 0.

A pass of its own over x and dy, before the loop that writes dx: the loops of this room write streams.  In blocks that
are added up in vectors, in any order (LLVM's reassoc, no other liberty: NaN stays NaN); the blocks in float64.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import numpy as np
from numba import from_dtype, prange, types

from kernels.numba_cpu import elements, threads
from kernels.numba_cpu.bind import views
from kernels.numba_cpu.elements import CARRIER
from kernels.numba_cpu.entry import Entry, digest, entry_of, jit
from kernels.ops import scalars
from kernels.ops.learnt import TwoResults
from kernels.ops.scalars import narrowed, widened

__all__ = ["with_slope_gradient"]

Array = np.ndarray[Any, Any]
_BLOCK = 4096
"""Elements: with float32 sums of so many, the error is that of a few roundings."""


def with_slope_gradient(
    call: Callable[[], Array], x: Array, dy: Array, dtype: str, *, parallel: bool
) -> TwoResults:
    """The sum, into one element, then `call`, which gives dx and may overwrite dy; `parallel`: on Numba's threads."""
    total = np.zeros(1, x.dtype)
    arrays = views([x, dy], dtype)
    contiguous = all(array.flags.c_contiguous for array in arrays)
    if contiguous:
        arrays = [array.reshape(-1) for array in arrays]
    kind = (dtype, arrays[0].ndim, contiguous)
    arrays += views([total], dtype)
    alone = _entry(*kind, parallel=False)
    # the fallback layer ends the process if two threads of Python meet in it
    many = _entry(*kind, parallel=True) if parallel and threads.layer() != "workqueue" else alone

    def both() -> tuple[Array, Array]:
        (alone if threads.forked() else many)(*arrays)
        return call(), total

    return TwoResults(both)


@functools.cache
def _entry(dtype: str, ndim: int, contiguous: bool, *, parallel: bool) -> Entry:
    carrier = from_dtype(CARRIER[dtype] if dtype in CARRIER else np.dtype(dtype))
    given = types.Array(carrier, ndim, "C" if contiguous else "A")
    name = f"slope_sum_{dtype}_{ndim}_{given.layout}_{'parallel' if parallel else 'serial'}"
    nought = np.float64(0) if dtype == "float64" else np.float32(0)
    signature = types.void(given, given, types.Array(carrier, 1, "C"))
    source = digest(elements, scalars)
    make = _of_line if ndim == 1 else _of_rows
    return entry_of(jit(make(nought), f"{name}_{source}", signature, parallel=parallel, fastmath={"reassoc"}))


def _of_line(nought: Any) -> Callable[..., None]:
    def loop(x: Array, dy: Array, by: Array) -> None:
        total = 0.0
        for block in prange((x.size + _BLOCK - 1) // _BLOCK):
            low, part = block * _BLOCK, nought
            some, gradients = (
                x[low : low + _BLOCK],
                dy[low : low + _BLOCK],
            )  # indexes from 0 need no look at their sign
            for i in range(some.size):
                v = widened(some[i])
                product = widened(gradients[i]) * v
                part += nought if v > nought else product
            total += part
        by[0] = narrowed(total, by[0])

    return loop


def _of_rows(nought: Any) -> Callable[..., None]:
    def loop(x: Array, dy: Array, by: Array) -> None:
        total = 0.0
        for i in prange(x.shape[0]):
            part = nought
            for j in range(x.shape[1]):
                v = widened(x[i, j])
                product = widened(dy[i, j]) * v
                part += nought if v > nought else product
            total += part
        by[0] = narrowed(total, by[0])

    return loop
