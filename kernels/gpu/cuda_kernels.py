"""The two kernels of numba.cuda: one reads an array, one reads two, and both write one.

Each thread takes 16-byte vectors, some at a time (two, unless a `Plan` says otherwise) while there are so many, a whole
grid apart; what is left over at the end goes element by element.  All indexes are 64 bits wide.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from kernels.gpu.cuda_elements import ELEMENT_BITS, element, paired, paired_backward
from kernels.gpu.cuda_packed import LEAST_CAPABILITY, single_of, word_of
from kernels.gpu.cuda_words import (
    LOAD_BYTES,
    SIMULATED,
    cuda,
    device,
    load4,
    load4_streaming,
    store4,
    store4_streaming,
)

__all__ = ["Plan", "inputs_of", "kernel", "kernel_of", "launch_shape"]

Function = Callable[..., Any]

_THREADS = 4 if SIMULATED else 256
"""A block's threads; the simulator starts a Python thread for each."""
_PACKED_LANES = 8
"""Elements of 16 bits in a vector."""


@dataclass(frozen=True, slots=True)
class Plan:
    """How a kernel goes over an array: `scripts/_card/sweep.py` measures which is the fastest on a card."""

    unroll: int = 2
    """Vectors that a thread loads before it stores one: 1, 2 or 4."""
    blocks_per_processor: int = 2 if SIMULATED else 32
    """At most; 0: no limit.  32 are more than are resident at once (8 of 256 threads): the last wave is short."""
    streaming: bool = False
    """Whether loads and stores say that nobody needs the line again."""


_USUAL = Plan()


def launch_shape(n: int, itemsize: int, processors: int, plan: Plan = _USUAL) -> tuple[int, int]:
    """(blocks, threads) for `n` elements on a card with so many multiprocessors."""
    vectors = max(1, n * itemsize // LOAD_BYTES)
    blocks = -(-vectors // (plan.unroll * _THREADS))
    most = plan.blocks_per_processor * processors or blocks
    return max(1, min(blocks, most)), _THREADS


def inputs_of(work: str) -> int:
    """How many arrays a work reads."""
    return 2 if work.endswith("_grad") or work == "xor" else 1


@functools.cache
def kernel(
    work: str,
    dtype: str,
    capability: tuple[int, int] = LEAST_CAPABILITY,
    unroll: int = _USUAL.unroll,
    *,
    streaming: bool = _USUAL.streaming,
) -> Any:
    """The kernel that does `work` (an element function's name) on arrays that carry `dtype`, for such a card.

    Arguments: ``x, out, n, slope``, or ``dy, x, out, n, slope`` for a work of two inputs.
    """
    form, inputs = ELEMENT_BITS[dtype], inputs_of(work)
    lanes = LOAD_BYTES // np.dtype(form.carrier).itemsize
    build = _one_input if inputs == 1 else _two_inputs
    if lanes == _PACKED_LANES and capability >= LEAST_CAPABILITY:
        word = word_of(work, dtype)
        one, pair = single_of(word, inputs), _twice(word, inputs)
    else:
        one = element(work, form)
        pair = (paired if inputs == 1 else paired_backward)(one, form)
    return cuda.jit(build(one, pair, lanes, unroll, streaming=streaming))


def _twice(word: Callable[..., Any], inputs: int) -> Callable[..., Any]:
    """A word's function on two words, or on two of each of two inputs."""

    def one_input(a: Any, b: Any, slope: Any) -> Any:
        return word(a, slope), word(b, slope)

    def two_inputs(ga: Any, gb: Any, a: Any, b: Any, slope: Any) -> Any:
        return word(ga, a, slope), word(gb, b, slope)

    return device(one_input if inputs == 1 else two_inputs)  # type: ignore[no-any-return]


def _one_input(
    one: Function, pair: Function, lanes: int, unroll: int = 2, *, streaming: bool = False
) -> Callable[..., None]:
    load, works, store = _steps(pair, unroll, 1, streaming)
    last_load, last, last_store = _steps(pair, 1, 1, streaming)
    place = device(_place)

    def run(x: Any, out: Any, n: Any, slope: Any) -> None:
        first, step = place()
        vectors = n // lanes
        i = first
        while i + (unroll - 1) * step < vectors:
            store(out, i, step, works(load(x, i, step), slope))
            i += unroll * step
        while i < vectors:
            last_store(out, i, step, last(last_load(x, i, step), slope))
            i += step
        j = vectors * lanes + first
        while j < n:
            out[j] = one(x[j], slope)
            j += step

    return run


def _two_inputs(
    one: Function, pair: Function, lanes: int, unroll: int = 2, *, streaming: bool = False
) -> Callable[..., None]:
    load, works, store = _steps(pair, unroll, 2, streaming)
    last_load, last, last_store = _steps(pair, 1, 2, streaming)
    place = device(_place)

    def run(dy: Any, x: Any, out: Any, n: Any, slope: Any) -> None:
        first, step = place()
        vectors = n // lanes
        i = first
        while i + (unroll - 1) * step < vectors:
            store(out, i, step, works(load(dy, i, step), load(x, i, step), slope))
            i += unroll * step
        while i < vectors:
            last_store(out, i, step, last(last_load(dy, i, step), last_load(x, i, step), slope))
            i += step
        j = vectors * lanes + first
        while j < n:
            out[j] = one(dy[j], x[j], slope)
            j += step

    return run


def _place() -> Any:
    """Of a thread: its number in the grid, and how many there are; 64 bits wide."""
    first = np.int64(cuda.blockIdx.x) * np.int64(cuda.blockDim.x) + np.int64(cuda.threadIdx.x)
    return first, np.int64(cuda.gridDim.x) * np.int64(cuda.blockDim.x)


def _steps(pair: Function, count: int, inputs: int, streaming: bool) -> tuple[Function, Function, Function]:
    """What loads `count` vectors of an input, works on those of all inputs, and stores the result."""
    return _loads(count, streaming), _works(pair, count, inputs), _stores(count, streaming)


def _loads(count: int, streaming: bool) -> Function:
    """Loads `count` vectors, a step apart each, as pairs of pairs: all of them before anything is stored."""
    load = load4_streaming if streaming else load4
    if count == 1:
        return device(lambda x, i, step: load(x, i))  # type: ignore[no-any-return]
    half, inner = count // 2, _loads(count // 2, streaming)
    return device(lambda x, i, step: (inner(x, i, step), inner(x, i + half * step, step)))  # type: ignore[no-any-return]


def _works(pair: Function, count: int, inputs: int) -> Function:
    """Works on what `_loads` gave, of one input or of two."""
    if count == 1 and inputs == 1:
        return device(lambda v, slope: (*pair(v[0], v[1], slope), *pair(v[2], v[3], slope)))  # type: ignore[no-any-return]
    if count == 1:

        def both(g: Any, v: Any, slope: Any) -> Any:
            return (*pair(g[0], g[1], v[0], v[1], slope), *pair(g[2], g[3], v[2], v[3], slope))

        return device(both)  # type: ignore[no-any-return]
    inner = _works(pair, count // 2, inputs)
    if inputs == 1:
        return device(lambda v, slope: (inner(v[0], slope), inner(v[1], slope)))  # type: ignore[no-any-return]
    return device(lambda g, v, slope: (inner(g[0], v[0], slope), inner(g[1], v[1], slope)))  # type: ignore[no-any-return]


def _stores(count: int, streaming: bool) -> Function:
    """Stores what `_works` gave."""
    store = store4_streaming if streaming else store4
    if count == 1:
        return device(lambda out, i, step, v: store(out, i, v[0], v[1], v[2], v[3]))  # type: ignore[no-any-return]
    half, inner = count // 2, _stores(count // 2, streaming)

    def more(out: Any, i: Any, step: Any, v: Any) -> None:
        inner(out, i, step, v[0])
        inner(out, i + half * step, step, v[1])

    return device(more)  # type: ignore[no-any-return]


def kernel_of(one: Callable[..., Any], dtype: str, inputs: int) -> Any:
    """The kernel of an element function, which takes the bits of one element of each input, and a slope."""
    form = ELEMENT_BITS[dtype]
    lanes = LOAD_BYTES // np.dtype(form.carrier).itemsize
    if inputs == 1:
        return cuda.jit(_one_input(one, paired(one, form), lanes))
    return cuda.jit(_two_inputs(one, paired_backward(one, form), lanes))
