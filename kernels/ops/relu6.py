"""relu6: x between 0 and 6, else the nearer of them; NaN passes through.  Its derivative is 1 inside, else 0."""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np

from kernels.ops import Array
from kernels.ops.formula import EXACT, Expression, Formula, aten_backward
from kernels.ops.scalars import typed

__all__ = ["op"]


def reference(x: Array) -> Array:
    """``min(max(x, 0), 6)``."""
    return np.minimum(np.maximum(x, 0), 6)


def derivative(x: Array) -> Array:
    """1 where 0 < x < 6."""
    return np.asarray(((x > 0) & (x < 6)).astype(x.dtype))


def _numpy(numpy: Any) -> Any:
    def relu6(x: Array, out: Array | None = None) -> Array:
        low = numpy.maximum(x, x.dtype.type(0), out=out)
        return numpy.minimum(low, x.dtype.type(6), out=low)  # type: ignore[no-any-return]  # a ufunc's result is Any

    return relu6


def _numpy_backward(numpy: Any) -> Any:
    def gradient(dy: Array, x: Array, out: Array | None = None) -> Array:
        inside = numpy.greater(x, x.dtype.type(0)) & numpy.less(x, x.dtype.type(6))
        word = f"u{dy.dtype.itemsize}"
        if out is None:
            return numpy.multiply(dy.view(word), inside).view(dy.dtype)  # type: ignore[no-any-return]  # as above
        numpy.multiply(dy.view(word), inside, out.view(word))
        return out

    return gradient


def _numba(math: Any) -> Any:
    def relu6(v: Any) -> Any:
        nought, six = typed(v, 0.0), typed(v, 6.0)
        return nought if v <= nought else six if v > six else v

    return relu6


def _numba_backward(math: Any) -> Any:
    def gradient(g: Any, v: Any) -> Any:
        return g if typed(v, 0.0) < v < typed(v, 6.0) else typed(g, 0.0)

    return gradient


def _torch(torch: Any) -> Any:
    return partial(torch._C._nn.hardtanh, min_val=0.0, max_val=6.0)  # what nn.functional.relu6 calls


op = Formula(
    reference=reference,
    derivative=derivative,
    forward=EXACT,
    backward=EXACT,
    kinks=(0.0, 6.0),
    warns=False,
    numpy=Expression(_numpy, _numpy_backward, narrow=True),
    numba=Expression(_numba, _numba_backward),
    jax=Expression(lambda jax: jax.nn.relu6),
    torch=Expression(_torch, lambda torch: aten_backward(torch.ops.aten.hardtanh_backward, 0.0, 6.0)),
)
