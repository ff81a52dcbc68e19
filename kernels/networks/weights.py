"""The same weights, inputs and targets for everyone: drawn by NumPy from a seed, never by a framework.

As PyTorch initialises Linear: weights and biases uniform in ±1/sqrt(fan-in), float32.
"""

from __future__ import annotations

import functools
import itertools
from typing import Any, NamedTuple

import numpy as np

from kernels.networks.case import NetworkCase
from kernels.numbers.host_arrays import aligned_empty

__all__ = ["SEED", "Weights", "initial", "pack", "pristine", "unpack"]

Array = np.ndarray[Any, Any]
SEED = 20260102
"""Any number; all processes and all runs have the same."""


class Weights(NamedTuple):
    """Two layers: `w1` (hidden, input), `b1` (hidden,), `w2` (output, hidden), `b2` (output,)."""

    w1: Array
    b1: Array
    w2: Array
    b2: Array


def initial(case: NetworkCase) -> Weights:
    """Fresh float32 arrays, C-contiguous and 64-byte aligned; the same for the same widths."""
    copies = []
    for part in pristine(case):
        copy = aligned_empty(part.shape, part.dtype)
        copy[...] = part
        copies.append(copy)
    return Weights(*copies)


def pristine(case: NetworkCase) -> Weights:
    """What `initial` copies: read-only, and always the same arrays."""
    return _drawn(*case.widths)


@functools.lru_cache(maxsize=1)  # one case at a time: the widest are large
def _drawn(a: int, b: int, c: int) -> Weights:
    rng = np.random.default_rng((SEED, a, b, c))

    def uniform(shape: tuple[int, ...], fan_in: int) -> Array:
        array = aligned_empty(shape, np.float32)
        rng.random(out=array, dtype=np.float32)
        array -= np.float32(0.5)
        array *= np.float32(2.0 / fan_in**0.5)
        array.flags.writeable = False
        return array

    return Weights(uniform((b, a), a), uniform((b,), a), uniform((c, b), b), uniform((c,), b))


def pack(loss: Any, weights: Weights) -> Array:
    """A training step's result as one float32 vector: the loss, then the weights in their order."""
    return np.concatenate([np.reshape(np.asarray(part, np.float32), -1) for part in (loss, *weights)])


def unpack(case: NetworkCase, vector: Array) -> tuple[float, Weights]:
    """What `pack` packed: the loss, and the weights as views of `vector`."""
    a, b, c = case.widths
    ends = np.cumsum([1, a * b, b, b * c, c])
    w1, b1, w2, b2 = (vector[start:end] for start, end in itertools.pairwise(ends))
    return float(vector[0]), Weights(w1.reshape(b, a), b1, w2.reshape(c, b), b2)
