"""silu (swish): x / (1 + exp(-x)).  S. Elfwing et al., "Sigmoid-weighted linear units", 2017."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from kernels.ops import Array
from kernels.ops.formula import LIBM, Allowed, Expression, Formula, aten_backward, near
from kernels.ops.scalars import typed

__all__ = ["op"]


def reference(x: Array) -> Array:
    """``x / (1 + exp(-x))``."""
    return np.asarray(x / (1 + np.exp(-x)))


def derivative(x: Array) -> Array:
    """``s * (1 + x * (1 - s))`` with ``s = 1 / (1 + exp(-x))``."""
    s, rest = 1 / (1 + np.exp(-x)), 1 / (1 + np.exp(x))  # rest is 1 - s, without the cancellation
    return np.asarray(s * (1 + x * rest))


def _numpy(numpy: Any) -> Any:
    def silu(x: Array, out: Array | None = None) -> Array:
        below = numpy.negative(x)
        numpy.exp(below, out=below)
        numpy.add(below, 1, out=below)
        return numpy.divide(x, below, out=below if out is None else out)  # type: ignore[no-any-return]  # a ufunc's result is Any

    return silu


def _numpy_backward(numpy: Any) -> Any:
    def gradient(dy: Array, x: Array, out: Array | None = None) -> Array:
        s = numpy.negative(x)
        numpy.exp(s, out=s)
        numpy.add(s, 1, out=s)
        numpy.reciprocal(s, out=s)
        slope = numpy.subtract(1, s)
        numpy.multiply(slope, x, out=slope)
        numpy.add(slope, 1, out=slope)
        numpy.multiply(slope, s, out=slope)
        return numpy.multiply(dy, slope, out=slope if out is None else out)  # type: ignore[no-any-return]  # as above

    return gradient


def _numba(_: Any) -> Any:
    def silu(v: Any) -> Any:
        return v / (typed(v, 1.0) + math.exp(-v))

    return silu


def _numba_backward(_: Any) -> Any:
    def gradient(g: Any, v: Any) -> Any:
        one = typed(v, 1.0)
        s = one / (one + math.exp(-v))
        return g * (s * (one + v * (one - s)))

    return gradient


op = Formula(
    reference=reference,
    derivative=derivative,
    forward=Allowed(4, 4, power=1, source=LIBM),
    backward=Allowed(4, 4, power=1, scale=lambda x: 1 + near(x), source=LIBM),
    numpy=Expression(_numpy, _numpy_backward),
    numba=Expression(_numba, _numba_backward),
    jax=Expression(lambda jax: jax.nn.silu),
    torch=Expression(
        lambda torch: torch._C._nn.silu, lambda torch: aten_backward(torch.ops.aten.silu_backward)
    ),
)
