"""gelu_tanh: gelu with tanh in place of erf.  D. Hendrycks, K. Gimpel, arXiv:1606.08415, section 2."""

from __future__ import annotations

import math
from functools import partial
from typing import Any

import numpy as np

from kernels.ops import Array
from kernels.ops.formula import LIBM, TANH, Allowed, Expression, Formula, near
from kernels.ops.scalars import typed

__all__ = ["op"]

_ROOT, _CUBE = math.sqrt(2 / math.pi), 0.044715


def reference(x: Array) -> Array:
    """``x * s(2 * u)`` with ``u = sqrt(2 / pi) * (x + 0.044715 * x**3)`` and the sigmoid s: (1 + tanh(u)) / 2."""
    return np.asarray(x / (1 + np.exp(-2 * _inner(x))))


def derivative(x: Array) -> Array:
    """``s(2 * u) + x * s'(2 * u) * 2 * u'``."""
    u, slope = _inner(x), _root(x) * (1 + 3 * _cube(x) * x * x)
    return np.asarray(1 / (1 + np.exp(-2 * u)) + x * 2 * slope / (2 + np.exp(2 * u) + np.exp(-2 * u)))


def _inner(x: Array) -> Array:
    return np.asarray(_root(x) * (x + _cube(x) * x * x * x))


def _root(x: Array) -> Any:
    return np.sqrt(2 / x.dtype.type(math.pi)) if x.dtype == np.float64 else x.dtype.type(_ROOT)


def _cube(x: Array) -> Any:
    return x.dtype.type(_CUBE)


def _numpy(numpy: Any) -> Any:
    def gelu(x: Array, out: Array | None = None) -> Array:
        u = numpy.multiply(x, x)
        numpy.multiply(u, _CUBE, out=u)
        numpy.add(u, 1, out=u)
        numpy.multiply(u, x, out=u)
        numpy.multiply(u, _ROOT, out=u)
        numpy.tanh(u, out=u)
        numpy.add(u, 1, out=u)
        numpy.multiply(u, 0.5, out=u)
        return numpy.multiply(u, x, out=u if out is None else out)  # type: ignore[no-any-return]  # a ufunc's result is Any

    return gelu


def _numpy_backward(numpy: Any) -> Any:
    def gradient(dy: Array, x: Array, out: Array | None = None) -> Array:
        square = numpy.multiply(x, x)
        numpy.multiply(square, _CUBE, out=square)
        t = numpy.add(square, 1)
        numpy.multiply(t, x, out=t)
        numpy.multiply(t, _ROOT, out=t)
        numpy.tanh(t, out=t)
        slope = numpy.multiply(square, 3 * _ROOT, out=square)
        numpy.add(slope, _ROOT, out=slope)
        numpy.multiply(slope, x, out=slope)
        numpy.multiply(slope, 1 - t * t, out=slope)
        numpy.add(slope, t, out=slope)
        numpy.add(slope, 1, out=slope)
        numpy.multiply(slope, 0.5, out=slope)
        return numpy.multiply(dy, slope, out=slope if out is None else out)  # type: ignore[no-any-return]  # as above

    return gradient


def _numba(_: Any) -> Any:
    def gelu(v: Any) -> Any:
        half, one = typed(v, 0.5), typed(v, 1.0)
        u = typed(v, _ROOT) * (v + typed(v, _CUBE) * v * v * v)
        return v * half * (one + math.tanh(u))

    return gelu


def _numba_backward(_: Any) -> Any:
    def gradient(g: Any, v: Any) -> Any:
        half, one, root, cube = typed(v, 0.5), typed(v, 1.0), typed(v, _ROOT), typed(v, _CUBE)
        t = math.tanh(root * (v + cube * v * v * v))
        slope = root * (one + typed(v, 3.0) * cube * v * v)
        return g * (half * (one + t) + half * v * (one - t * t) * slope)

    return gradient


def _torch_backward(torch: Any) -> Any:
    backward = torch.ops.aten.gelu_backward

    def gradient(dy: Any, x: Any, out: Any = None) -> Any:
        if out is None:
            return backward.default(dy, x, approximate="tanh")
        return backward.grad_input(dy, x, approximate="tanh", grad_input=out)

    return gradient


op = Formula(
    reference=reference,
    derivative=derivative,
    forward=Allowed(4, 4, power=3, scale=near, source=LIBM),
    backward=Allowed(
        16, 4, power=3, scale=lambda x: 1 + near(x) * (1 + 3 * _CUBE * near(x) ** 2), source=TANH
    ),
    numpy=Expression(_numpy, _numpy_backward),
    numba=Expression(_numba, _numba_backward),
    jax=Expression(lambda jax: partial(jax.nn.gelu, approximate=True)),
    torch=Expression(lambda torch: partial(torch._C._nn.gelu, approximate="tanh"), _torch_backward),
)
