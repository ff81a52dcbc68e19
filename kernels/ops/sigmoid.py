"""sigmoid: 1 / (1 + exp(-x))."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from kernels.ops import Array
from kernels.ops.formula import LIBM, Allowed, Expression, Formula, aten_backward
from kernels.ops.scalars import typed

__all__ = ["op"]


def reference(x: Array) -> Array:
    """``1 / (1 + exp(-x))``."""
    return 1 / (1 + np.exp(-x))


def derivative(x: Array) -> Array:
    """``1 / (2 + exp(x) + exp(-x))``, which is s * (1 - s)."""
    return 1 / (2 + np.exp(x) + np.exp(-x))


def _numpy(numpy: Any) -> Any:
    def sigmoid(x: Array, out: Array | None = None) -> Array:
        s = numpy.negative(x, out=out)
        numpy.exp(s, out=s)
        numpy.add(s, 1, out=s)
        return numpy.reciprocal(s, out=s)  # type: ignore[no-any-return]  # a ufunc's result is Any

    return sigmoid


def _numpy_backward(numpy: Any) -> Any:
    forward = _numpy(numpy)

    def gradient(dy: Array, x: Array, out: Array | None = None) -> Array:
        s = forward(x)
        rest = numpy.subtract(1, s)
        numpy.multiply(s, rest, out=s)
        return numpy.multiply(dy, s, out=s if out is None else out)  # type: ignore[no-any-return]  # as above

    return gradient


def _numba(_: Any) -> Any:
    def sigmoid(v: Any) -> Any:
        one = typed(v, 1.0)
        return one / (one + math.exp(-v))

    return sigmoid


def _numba_backward(_: Any) -> Any:
    def gradient(g: Any, v: Any) -> Any:
        one = typed(v, 1.0)
        s = one / (one + math.exp(-v))
        return g * (s * (one - s))

    return gradient


def _torch_backward(torch: Any) -> Any:
    return aten_backward(torch.ops.aten.sigmoid_backward, through=torch.sigmoid)


op = Formula(
    reference=reference,
    derivative=derivative,
    forward=Allowed(4, 4, source=LIBM),
    backward=Allowed(4, 4, scale=np.ones_like, source=LIBM),
    numpy=Expression(_numpy, _numpy_backward),
    numba=Expression(_numba, _numba_backward),
    jax=Expression(lambda jax: jax.nn.sigmoid),
    torch=Expression(lambda torch: torch.sigmoid, _torch_backward),
)
