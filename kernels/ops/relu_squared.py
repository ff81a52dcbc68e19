"""relu_squared: x * x where x > 0, else 0; NaN passes through.  Its derivative is 2 * x where x > 0, else 0.

D. R. So et al., "Primer: Searching for efficient transformers for language modeling", NeurIPS 2021.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from kernels.ops import Array
from kernels.ops.formula import EXACT, Allowed, Expression, Formula
from kernels.ops.scalars import typed

__all__ = ["op"]


def reference(x: Array) -> Array:
    """``max(x, 0)**2``."""
    return np.square(np.maximum(x, 0))


def derivative(x: Array) -> Array:
    """``2 * max(x, 0)``."""
    return 2 * np.maximum(x, 0)


def _numpy(numpy: Any) -> Any:
    def relu_squared(x: Array, out: Array | None = None) -> Array:
        low = numpy.maximum(x, x.dtype.type(0), out=out)
        return numpy.multiply(low, low, out=low)  # type: ignore[no-any-return]  # a ufunc's result is Any

    return relu_squared


def _numpy_backward(numpy: Any) -> Any:
    def gradient(dy: Array, x: Array, out: Array | None = None) -> Array:
        low = numpy.maximum(x, x.dtype.type(0))
        numpy.add(low, low, out=low)
        return numpy.multiply(dy, low, out=low if out is None else out)  # type: ignore[no-any-return]  # as above

    return gradient


def _numba(math: Any) -> Any:
    def relu_squared(v: Any) -> Any:
        return typed(v, 0.0) if v <= typed(v, 0.0) else v * v

    return relu_squared


def _numba_backward(math: Any) -> Any:
    def gradient(g: Any, v: Any) -> Any:
        return typed(v, 0.0) if v <= typed(v, 0.0) else g * (v + v)

    return gradient


def _torch(torch: Any) -> Any:
    """Two of torch's kernels, the second on the first one's result: nobody has one for it."""

    def relu_squared(x: Any, out: Any = None) -> Any:
        low = torch.relu(x) if out is None else torch.clamp_min(x, 0, out=out)
        return low.mul_(low)

    return relu_squared


def _traced(torch: Any) -> Any:
    return lambda x: torch.relu(x).square()


def _torch_backward(torch: Any) -> Any:
    """What autograd does: the square's gradient, then relu's."""
    threshold = torch.ops.aten.threshold_backward

    def gradient(dy: Any, x: Any, out: Any = None) -> Any:
        low = torch.relu(x)
        low = torch.mul(low.mul_(2), dy, out=low)
        return (
            threshold.default(low, x, 0) if out is None else threshold.grad_input(low, x, 0, grad_input=out)
        )

    return gradient


def _traced_backward(torch: Any) -> Any:
    return lambda dy, x: dy * (2 * torch.relu(x))


op = Formula(
    reference=reference,
    derivative=derivative,
    forward=EXACT,
    backward=Allowed(
        1, 1, power=1, source="two roundings at most, of which the one by a power of two is exact"
    ),
    kinks=(0.0,),
    numpy=Expression(_numpy, _numpy_backward, narrow=True),
    numba=Expression(_numba, _numba_backward),
    jax=Expression(lambda jax: lambda x: jax.numpy.square(jax.nn.relu(x))),
    torch=Expression(_torch, _torch_backward),
    traced=Expression(_traced, _traced_backward),
)
