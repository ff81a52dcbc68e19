"""prelu: x where x > 0, else slope * x, with a slope that is learnt: an array of one element.

K. He et al., arXiv:1502.01852.  Backward gives the gradient of x; that of the slope, a sum
over all elements, is not measured, but torch makes its terms in the same kernel.
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


def _numpy(numpy: Any, slope: float) -> Any:
    def prelu(x: Array, out: Array | None = None) -> Array:
        low = numpy.minimum(x, x.dtype.type(0))
        numpy.multiply(low, x.dtype.type(slope), out=low)
        high = numpy.maximum(x, x.dtype.type(0), out=out)
        return numpy.add(high, low, out=high)  # type: ignore[no-any-return]  # a ufunc's result is Any

    return prelu


def _numpy_backward(numpy: Any, slope: float) -> Any:
    def gradient(dy: Array, x: Array, out: Array | None = None) -> Array:
        factor = numpy.where(x > 0, x.dtype.type(1), x.dtype.type(slope))
        return numpy.multiply(dy, factor, out=factor if out is None else out)  # type: ignore[no-any-return]  # as above

    return gradient


def _numba(_: Any, slope: float) -> Any:
    def prelu(v: Any) -> Any:
        return v if v > typed(v, 0.0) else v * typed(v, slope)

    return prelu


def _numba_backward(_: Any, slope: float) -> Any:
    def gradient(g: Any, v: Any) -> Any:
        return g if v > typed(v, 0.0) else g * typed(v, slope)

    return gradient


def _torch(torch: Any, slope: float) -> Any:
    weight = _weight(torch, slope, lambda x: 1)
    return lambda x: torch.prelu(x, weight(x))


def _torch_backward(torch: Any, slope: float) -> Any:
    """torch has one kernel for both gradients: what autograd runs, which sums up the slope's afterwards."""
    both, weight = (
        torch.ops.aten._prelu_kernel_backward.default,
        _weight(torch, slope, lambda x: int(x.dim())),
    )
    return lambda dy, x: both(dy, x, weight(x))[0]


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
    return lambda dy, x: torch.where(x > 0, dy, dy * slope)


op = Formula(
    reference=reference,
    derivative=derivative,
    forward=_ONCE,
    backward=_ONCE,
    kinks=(0.0,),
    warns=False,
    numpy=Expression(_numpy, _numpy_backward, narrow=True),
    numba=Expression(_numba, _numba_backward),
    jax=Expression(lambda jax, slope: lambda x: jax.numpy.where(x > 0, x, x * slope)),
    torch=Expression(_torch, _torch_backward, into=False, backward_into=False),
    traced=Expression(_traced, _traced_backward),
)
