"""prelu: x where x > 0, else slope * x, with a slope that is learnt: an array of one element.

K. He et al., arXiv:1502.01852.  Backward gives the gradient of x and that of the slope: the sum of dy * x where x is
not above 0 (`kernels.ops.learnt`).  The functions of dy and x here give the pair.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from kernels.ops import Array
from kernels.ops.formula import Allowed, Expression, Formula
from kernels.ops.scalars import typed

__all__ = ["op"]

_ONCE = Allowed(
    1, 1, power=1, source="one multiplication, by a slope that is rounded to the dtype or to float32"
)


def reference(x: Array, slope: float) -> Array:
    """``where(x > 0, x, slope * x)``."""
    return np.where(x > 0, x, slope * x)


def derivative(x: Array, slope: float) -> Array:
    """1 where x > 0, else the slope."""
    return np.where(x > 0, 1, x.dtype.type(slope))


def by_slope(x: Array, slope: float) -> Array:
    """The derivative by the slope: x where it is not above 0, NaN included, as in torch."""
    return np.where(x > 0, 0, x)


def _numpy(numpy: Any, slope: float) -> Any:
    def prelu(x: Array, out: Array | None = None) -> Array:
        low = numpy.minimum(x, x.dtype.type(0))
        numpy.multiply(low, x.dtype.type(slope), out=low)
        high = numpy.maximum(x, x.dtype.type(0), out=out)
        return numpy.add(high, low, out=high)  # type: ignore[no-any-return]  # a ufunc's result is Any

    return prelu


def _numpy_backward(numpy: Any, slope: float) -> Any:
    def gradient(dy: Array, x: Array, out: Array | None = None) -> tuple[Array, Array]:
        above, wide = x > 0, numpy.float32 if x.itemsize == 2 else x.dtype
        terms = numpy.where(above, x.dtype.type(0), x * dy)
        total = x.dtype.type(terms.sum(dtype=wide))  # before dy is overwritten in place
        factor = numpy.where(above, x.dtype.type(1), x.dtype.type(slope))
        return numpy.multiply(dy, factor, out=factor if out is None else out), total

    return gradient


def _numba(_: Any, slope: float) -> Any:
    def prelu(v: Any) -> Any:
        return v if v > typed(v, 0.0) else v * typed(v, slope)

    return prelu


def _numba_backward(_: Any, slope: float) -> Any:
    def gradient(g: Any, v: Any) -> Any:
        return g if v > typed(v, 0.0) else g * typed(v, slope)

    return gradient


def _numba_term(_: Any, slope: float) -> Any:
    def term(g: Any, v: Any) -> Any:
        return typed(v, 0.0) if v > typed(v, 0.0) else g * v

    return term


def _torch(torch: Any, slope: float) -> Any:
    weight = _weight(torch, slope, lambda x: 1)
    return lambda x: torch.prelu(x, weight(x))


def _torch_backward(torch: Any, slope: float) -> Any:
    """What autograd runs: one kernel for dx and for the terms of the slope's gradient, which are summed up then."""
    both = torch.ops.aten._prelu_kernel_backward.default
    weight = _weight(torch, slope, lambda x: int(x.dim()))

    def gradient(dy: Any, x: Any) -> tuple[Any, Any]:
        dx, terms = both(dy, x, weight(x))
        return dx, terms.sum()

    return gradient


def _weight(torch: Any, slope: float, dimensions: Callable[[Any], int]) -> Callable[[Any], Any]:
    """The slope as a tensor of one element, of x's kind, made once."""
    made: list[Any] = []

    def weight(x: Any) -> Any:
        if not made:
            made.append(torch.full((1,) * dimensions(x), slope, dtype=x.dtype, device=x.device))
        return made[0]

    return weight


def _traced(torch: Any, slope: float) -> Any:
    return lambda x: torch.prelu(x, torch.full((1,), slope, dtype=x.dtype, device=x.device))


def _traced_backward(torch: Any, slope: float) -> Any:
    def gradient(dy: Any, x: Any) -> tuple[Any, Any]:
        above = x > 0
        return torch.where(above, dy, dy * slope), torch.where(above, 0.0, x * dy).sum()

    return gradient


op = Formula(
    reference=reference,
    derivative=derivative,
    forward=_ONCE,
    backward=_ONCE,
    by_slope=by_slope,
    kinks=(0.0,),
    warns=False,
    numpy=Expression(_numpy, _numpy_backward, narrow=True),
    numba=Expression(_numba, _numba_backward, term=_numba_term),
    jax=Expression(lambda jax, slope: lambda x: jax.numpy.where(x > 0, x, x * slope)),
    torch=Expression(_torch, _torch_backward, into=False, backward_into=False),
    traced=Expression(_traced, _traced_backward),
)
