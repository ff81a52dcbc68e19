"""elu: x where x > 0, else alpha * (exp(x) - 1).  D.-A. Clevert et al., arXiv:1511.07289."""

from __future__ import annotations

import math
from functools import partial
from typing import Any

import numpy as np

from kernels.ops import Array
from kernels.ops.formula import Allowed, Expression, Formula
from kernels.ops.scalars import typed

__all__ = ["op"]

_TWO_FORMS = "torch.compile takes exp(x) - 1, the paper's formula, with terms of size 1; others take expm1"


def _terms(x: Array, alpha: float) -> Array:
    """The size of what cancels."""
    return np.asarray(alpha * (x <= 0).astype(x.dtype))


def reference(x: Array, alpha: float) -> Array:
    """``where(x > 0, x, alpha * expm1(x))``."""
    return np.where(x > 0, x, alpha * np.expm1(np.minimum(x, 0)))


def derivative(x: Array, alpha: float) -> Array:
    """1 where x > 0, else ``alpha * exp(x)``."""
    return np.where(x > 0, 1, alpha * np.exp(np.minimum(x, 0)))


def _numpy(numpy: Any, alpha: float) -> Any:
    def elu(x: Array, out: Array | None = None) -> Array:
        low = numpy.minimum(x, 0)
        numpy.expm1(low, out=low)
        numpy.multiply(low, alpha, out=low)
        high = numpy.maximum(x, 0, out=out)
        return numpy.add(high, low, out=high)  # type: ignore[no-any-return]  # a ufunc's result is Any

    return elu


def _numpy_backward(numpy: Any, alpha: float) -> Any:
    def gradient(dy: Array, x: Array, out: Array | None = None) -> Array:
        slope = numpy.minimum(x, 0)
        numpy.exp(slope, out=slope)
        if alpha != 1:
            numpy.multiply(slope, alpha, out=slope, where=x <= 0)
        return numpy.multiply(dy, slope, out=slope if out is None else out)  # type: ignore[no-any-return]  # as above

    return gradient


def _numba(_: Any, alpha: float) -> Any:
    def elu(v: Any) -> Any:
        return v if v > typed(v, 0.0) else typed(v, alpha) * math.expm1(v)

    return elu


def _numba_backward(_: Any, alpha: float) -> Any:
    def gradient(g: Any, v: Any) -> Any:
        return g if v > typed(v, 0.0) else g * (typed(v, alpha) * math.exp(v))

    return gradient


def _torch_backward(torch: Any, alpha: float) -> Any:
    """False: it is given x, not the result."""
    backward = torch.ops.aten.elu_backward

    def gradient(dy: Any, x: Any, out: Any = None) -> Any:
        if out is None:
            return backward.default(dy, alpha, 1, 1, False, x)
        return backward.grad_input(dy, alpha, 1, 1, False, x, grad_input=out)

    return gradient


op = Formula(
    reference=reference,
    derivative=derivative,
    forward=Allowed(8, 4, scale=_terms, source=_TWO_FORMS),
    backward=Allowed(4, 4, scale=_terms, source=_TWO_FORMS),
    kinks=(0.0,),
    numpy=Expression(_numpy, _numpy_backward),
    numba=Expression(_numba, _numba_backward),
    jax=Expression(lambda jax, alpha: partial(jax.nn.elu, alpha=alpha)),
    torch=Expression(lambda torch, alpha: partial(torch._C._nn.elu, alpha=alpha), _torch_backward),
)
