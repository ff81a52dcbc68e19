"""The two kernels of numba.cuda: one reads an array, one reads two, and both write one.

Each thread takes 16-byte vectors, two at a time while there are two, a whole grid apart; what is left over
at the end goes element by element.  All indexes are 64 bits wide.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import numpy as np

from kernels.gpu.cuda_elements import ELEMENT_BITS, element, paired, paired_backward
from kernels.gpu.cuda_packed import LEAST_CAPABILITY, single_of, word_of
from kernels.gpu.cuda_words import LOAD_BYTES, SIMULATED, cuda, device, load4, store4

__all__ = ["inputs_of", "kernel", "kernel_of", "launch_shape"]

_THREADS = 4 if SIMULATED else 256
"""A block's threads; the simulator starts a Python thread for each."""
_BLOCKS_PER_PROCESSOR = 2 if SIMULATED else 32
"""More than are resident at once (8 of 256 threads), so that the last wave is short."""
_PACKED_LANES = 8
"""Elements of 16 bits in a vector."""


def launch_shape(n: int, itemsize: int, processors: int) -> tuple[int, int]:
    """(blocks, threads) for `n` elements on a card with so many multiprocessors."""
    vectors = max(1, n * itemsize // LOAD_BYTES)
    blocks = -(-vectors // (2 * _THREADS))
    return max(1, min(blocks, _BLOCKS_PER_PROCESSOR * processors)), _THREADS


def inputs_of(work: str) -> int:
    """How many arrays a work reads."""
    return 2 if work.endswith("_grad") or work == "xor" else 1


@functools.cache
def kernel(work: str, dtype: str, capability: tuple[int, int] = LEAST_CAPABILITY) -> Any:
    """The kernel that does `work` (an element function's name) on arrays that carry `dtype`, for such a card.

    Arguments: ``x, out, n, slope``, or ``dy, x, out, n, slope`` for a work of two inputs.
    """
    form, inputs = ELEMENT_BITS[dtype], inputs_of(work)
    lanes = LOAD_BYTES // np.dtype(form.carrier).itemsize
    build = _one_input if inputs == 1 else _two_inputs
    if lanes == _PACKED_LANES and capability >= LEAST_CAPABILITY:
        word = word_of(work, dtype)
        return cuda.jit(build(single_of(word, inputs), _twice(word, inputs), lanes))
    return kernel_of(element(work, form), dtype, inputs)


def _twice(word: Callable[..., Any], inputs: int) -> Callable[..., Any]:
    """A word's function on two words, or on two of each of two inputs."""

    def one_input(a: Any, b: Any, slope: Any) -> Any:
        return word(a, slope), word(b, slope)

    def two_inputs(ga: Any, gb: Any, a: Any, b: Any, slope: Any) -> Any:
        return word(ga, a, slope), word(gb, b, slope)

    return device(one_input if inputs == 1 else two_inputs)  # type: ignore[no-any-return]


def _one_input(one: Callable[..., Any], pair: Callable[..., Any], lanes: int) -> Callable[..., None]:
    def run(x: Any, out: Any, n: Any, slope: Any) -> None:
        first = np.int64(cuda.blockIdx.x) * np.int64(cuda.blockDim.x) + np.int64(cuda.threadIdx.x)
        step = np.int64(cuda.gridDim.x) * np.int64(cuda.blockDim.x)
        vectors = n // lanes
        i = first
        while i + step < vectors:
            a, b, c, d = load4(x, i)
            e, f, g, h = load4(x, i + step)
            a, b = pair(a, b, slope)
            c, d = pair(c, d, slope)
            e, f = pair(e, f, slope)
            g, h = pair(g, h, slope)
            store4(out, i, a, b, c, d)
            store4(out, i + step, e, f, g, h)
            i += 2 * step
        if i < vectors:
            a, b, c, d = load4(x, i)
            a, b = pair(a, b, slope)
            c, d = pair(c, d, slope)
            store4(out, i, a, b, c, d)
        j = vectors * lanes + first
        while j < n:
            out[j] = one(x[j], slope)
            j += step

    return run


def _two_inputs(one: Callable[..., Any], pair: Callable[..., Any], lanes: int) -> Callable[..., None]:
    def run(dy: Any, x: Any, out: Any, n: Any, slope: Any) -> None:
        first = np.int64(cuda.blockIdx.x) * np.int64(cuda.blockDim.x) + np.int64(cuda.threadIdx.x)
        step = np.int64(cuda.gridDim.x) * np.int64(cuda.blockDim.x)
        vectors = n // lanes
        i = first
        while i + step < vectors:
            p, q, r, s = load4(dy, i)
            a, b, c, d = load4(x, i)
            t, u, v, w = load4(dy, i + step)
            e, f, g, h = load4(x, i + step)
            a, b = pair(p, q, a, b, slope)
            c, d = pair(r, s, c, d, slope)
            e, f = pair(t, u, e, f, slope)
            g, h = pair(v, w, g, h, slope)
            store4(out, i, a, b, c, d)
            store4(out, i + step, e, f, g, h)
            i += 2 * step
        if i < vectors:
            p, q, r, s = load4(dy, i)
            a, b, c, d = load4(x, i)
            a, b = pair(p, q, a, b, slope)
            c, d = pair(r, s, c, d, slope)
            store4(out, i, a, b, c, d)
        j = vectors * lanes + first
        while j < n:
            out[j] = one(dy[j], x[j], slope)
            j += step

    return run


def kernel_of(one: Callable[..., Any], dtype: str, inputs: int) -> Any:
    """The kernel of an element function, which takes the bits of one element of each input, and a slope."""
    form = ELEMENT_BITS[dtype]
    lanes = LOAD_BYTES // np.dtype(form.carrier).itemsize
    if inputs == 1:
        return cuda.jit(_one_input(one, paired(one, form), lanes))
    return cuda.jit(_two_inputs(one, paired_backward(one, form), lanes))
