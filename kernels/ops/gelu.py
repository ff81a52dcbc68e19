"""gelu: x * Phi(x) with the normal distribution function by erf.  D. Hendrycks, K. Gimpel, arXiv:1606.08415."""

from __future__ import annotations

import math
from functools import partial
from typing import Any

import numpy as np
from scipy import special  # type: ignore[import-untyped]  # it has no type hints

from kernels.ops import Array
from kernels.ops.formula import Allowed, Expression, Formula, aten_backward, near
from kernels.ops.scalars import typed

__all__ = ["op"]

_ROOT = math.sqrt(0.5)
_ERF = "torch's vectors take erf from Abramowitz and Stegun, 7.1.26: off by 1.5e-7, which is 2.5 ULP of float32 at 1"
_PEAK = 1 / math.sqrt(2 * math.pi)


def reference(x: Array) -> Array:
    """``x * Phi(x)``; in float64 at most, which is what SciPy has."""
    return np.asarray(x * special.ndtr(x.astype(np.float64)))


def derivative(x: Array) -> Array:
    """``Phi(x) + x * exp(-x * x / 2) / sqrt(2 * pi)``."""
    return np.asarray(special.ndtr(x.astype(np.float64)) + x * np.exp(-0.5 * x * x) * _PEAK)


def _numba(_: Any) -> Any:
    def gelu(v: Any) -> Any:
        half, one = typed(v, 0.5), typed(v, 1.0)
        return v * half * (one + math.erf(v * typed(v, _ROOT)))

    return gelu


def _numba_backward(_: Any) -> Any:
    def gradient(g: Any, v: Any) -> Any:
        half, one = typed(v, 0.5), typed(v, 1.0)
        below = half * (one + math.erf(v * typed(v, _ROOT)))
        return g * (below + v * (math.exp(-half * v * v) * typed(v, _PEAK)))

    return gradient


op = Formula(
    reference=reference,
    derivative=derivative,
    forward=Allowed(8, 4, power=1, scale=near, source=_ERF),
    backward=Allowed(8, 4, power=2, scale=lambda x: 1 + near(x), source=_ERF),
    numba=Expression(_numba, _numba_backward),
    jax=Expression(lambda jax: partial(jax.nn.gelu, approximate=False)),
    torch=Expression(
        lambda torch: torch._C._nn.gelu, lambda torch: aten_backward(torch.ops.aten.gelu_backward)
    ),
    about={"numpy": "NumPy has no erf; gelu_tanh is the form without it"},
)
