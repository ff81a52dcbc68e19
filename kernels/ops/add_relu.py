"""add_relu: relu(x + r), the end of a residual block.  K. He et al., arXiv:1512.03385.

Its gradient is that of relu at x + r, the same for x and for r: op relu measures it.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from kernels.ops import Array
from kernels.ops.formula import EXACT, Expression, Formula
from kernels.ops.scalars import typed

__all__ = ["op"]


def reference(x: Array, r: Array) -> Array:
    """``max(x + r, 0)``."""
    return np.asarray(np.maximum(x + r, 0))


def _numpy(numpy: Any) -> Any:
    def add_relu(x: Array, r: Array, out: Array | None = None) -> Array:
        total = numpy.add(x, r, out=out)
        return numpy.maximum(total, x.dtype.type(0), out=total)  # type: ignore[no-any-return]  # a ufunc's result is Any

    return add_relu


def _numba(_: Any) -> Any:
    def add_relu(v: Any, r: Any) -> Any:
        total = v + r
        return typed(total, 0.0) if total <= typed(total, 0.0) else total

    return add_relu


def _torch(torch: Any) -> Any:
    """Two of torch's kernels, as in ``torch.relu(x + r)``; the second works on the first one's result."""

    def add_relu(x: Any, r: Any, out: Any = None) -> Any:
        return torch.add(x, r, out=out).relu_()

    return add_relu


op = Formula(
    reference=reference,
    forward=EXACT,
    no_gradient="the gradient of add_relu is that of relu, for x and for r: measure --ops relu --directions backward",
    warns=True,
    numpy=Expression(_numpy, narrow=True),
    numba=Expression(_numba),
    jax=Expression(lambda jax: lambda x, r: jax.nn.relu(x + r)),
    torch=Expression(_torch),
    traced=Expression(lambda torch: lambda x, r: torch.relu(x + r)),
)
