"""The ways to copy a case's bytes; bench/controls/arms.py races them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numba
import numpy as np

from kernels.api import Case
from kernels.numba_cpu.entry import locator
from kernels.numbers.floats import bits as bits_of
from kernels.numbers.host_arrays import output_array
from kernels.tuned.bind import Bound, Mode, Walk, bind, streams, walk_of, writing
from kernels.tuned.choice import choose
from kernels.tuned.loops import Loop
from kernels.tuned.simd import LINE, STREAMING

__all__ = ["Array", "Call", "candidates", "out_of_reach", "set_threads", "threads"]

Array = np.ndarray[Any, Any]
Call = Callable[[], Array]

_PARALLEL_FROM = 32 << 10
"""Bytes written below which starting the threads costs more than the copy."""
_CHUNKS = (64 << 10, 1 << 20)
"""Bytes written at a time by a thread, besides even parts."""


def threads() -> int:
    """Numba's thread count."""
    return int(numba.get_num_threads())


def set_threads(count: int) -> int:
    """Set it to `count`, at most the NUMBA_NUM_THREADS that Numba started with (also what 0 stands for)."""
    most = int(numba.config.NUMBA_NUM_THREADS)  # type: ignore[attr-defined]  # set when Numba is imported
    numba.set_num_threads(min(count, most) if count else most)
    return threads()


def out_of_reach(case: Case) -> str | None:
    """Why streaming stores cannot write this case's target, or None."""
    if not STREAMING:
        return "needs the streaming stores of x86-64; copy_plain shows this machine's limit"
    if case.n * case.itemsize < 4 * LINE:
        return f"too small: {case.n} {case.dtype} elements are not a few whole cache lines; see copy_plain"
    if case.placement == "inplace" and case.layout == "strided":
        return "every second element is written, never a whole cache line; see copy_plain"
    if case.placement == "out" and case.layout == "transposed" and not _whole_rows(case):
        return "the rows of the target are not whole cache lines; see copy_plain"
    return None


def candidates(case: Case, x: Array, dy: Array | None, out: Array | None, streaming: bool) -> dict[str, Call]:
    """Calls that copy the case's bytes into `out`, or in place, and return the result, by a short name of the way.

    Without `out` each call allocates its result.  The first way has the threads that our fastest kernels would take.
    """
    inputs = [array for array in (x, dy) if array is not None]
    element = "xor" if dy is not None else "flip" if case.placement == "inplace" else "copy"
    target = inputs[-1] if case.placement == "inplace" else out
    walk = walk_of(np.empty_like(x) if target is None else target, inputs)
    if walk is None:
        raise ValueError(
            f"arrays of strides {[a.strides for a in inputs]} cannot be walked; give the case's own layout"
        )
    loop = Loop(element, f"uint{8 * case.itemsize}", walk.shape, streaming)
    kernel = "relu" if dy is None else "relu_backward"
    usual, _ = choose(kernel, case.dtype, walk, case.itemsize, threads())
    ways = {}
    for name, mode in sorted(_modes(case).items(), key=lambda way: way[1] != usual):
        bound = bind(loop, walk, inputs, 0.0, mode)
        ways[name] = _allocating(bound, inputs) if target is None else writing(bound, inputs, target)
    if not streaming:
        ways["numpy"] = _numpy(element, inputs, target)
    return ways


def _whole_rows(case: Case) -> bool:
    target = output_array(case)
    columns = target.shape[1]
    return streams(Walk("tiles", len(target), columns), 0, case.itemsize)


def _modes(case: Case) -> dict[str, Mode]:
    modes = {"serial": Mode()}
    count = threads()
    written = case.n * case.itemsize
    if count > 1 and written >= _PARALLEL_FROM:
        modes["parallel"] = Mode(count)
        for chunk in _CHUNKS:
            if written > 2 * count * chunk:
                modes[f"parallel by {chunk >> 10} KiB"] = Mode(count, chunk // case.itemsize)
    return modes


def _allocating(bound: Bound, inputs: Sequence[Array]) -> Call:
    entry, rest, like, empty_like = bound.entry, bound.rest, inputs[0], np.empty_like
    locate = locator(like.ndim, like.itemsize)

    def call(_kept: object = tuple(inputs)) -> Array:  # the loop knows addresses only
        result = empty_like(like)
        entry(locate(result), *rest)
        return result

    return call


def _numpy(element: str, inputs: Sequence[Array], target: Array | None) -> Call:
    """NumPy's own loops, memcpy among them."""
    bits = [bits_of(array) for array in inputs]
    dtype = inputs[0].dtype
    sign = bits[0].dtype.type(1 << (8 * inputs[0].itemsize - 1))

    def write(into: Array) -> None:
        if element == "copy":
            np.copyto(into, bits[0])
        elif element == "xor":
            np.bitwise_xor(bits[0], bits[1], out=into)
        else:
            np.bitwise_xor(bits[0], sign, out=into)

    if target is not None:
        view = bits_of(target)

        def call() -> Array:
            write(view)
            return target

        return call

    def call_new() -> Array:
        into = np.empty_like(bits[0])
        write(into)
        return into.view(dtype)

    return call_new
