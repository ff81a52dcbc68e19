"""tanh: the hyperbolic tangent."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from kernels.ops import Array
from kernels.ops.formula import LIBM, TANH, Allowed, Expression, Formula, aten_backward
from kernels.ops.scalars import typed

__all__ = ["op"]


def reference(x: Array) -> Array:
    """``tanh(x)``."""
    return np.tanh(x)


def derivative(x: Array) -> Array:
    """``1 / cosh(x)**2``, which is 1 - tanh(x)**2."""
    return np.square(1 / np.cosh(x))


def _numpy_backward(numpy: Any) -> Any:
    def gradient(dy: Array, x: Array, out: Array | None = None) -> Array:
        y = numpy.tanh(x)
        numpy.multiply(y, y, out=y)
        numpy.subtract(1, y, out=y)
        return numpy.multiply(dy, y, out=y if out is None else out)  # type: ignore[no-any-return]  # a ufunc's result is Any

    return gradient


def _numba(_: Any) -> Any:
    def tanh(v: Any) -> Any:
        return math.tanh(v)

    return tanh


def _numba_backward(_: Any) -> Any:
    def gradient(g: Any, v: Any) -> Any:
        y = math.tanh(v)
        return g * (typed(v, 1.0) - y * y)

    return gradient


def _torch_backward(torch: Any) -> Any:
    return aten_backward(torch.ops.aten.tanh_backward, through=torch.tanh)


op = Formula(
    reference=reference,
    derivative=derivative,
    forward=Allowed(8, 4, source=LIBM),
    backward=Allowed(16, 4, scale=np.ones_like, source=TANH),
    numpy=Expression(lambda numpy: numpy.tanh, _numpy_backward),
    numba=Expression(_numba, _numba_backward),
    jax=Expression(lambda jax: jax.nn.tanh),
    torch=Expression(lambda torch: torch.tanh, _torch_backward),
)
