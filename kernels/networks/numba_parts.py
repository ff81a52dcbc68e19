"""Loops that run before and after BLAS in Numba's network: each passes once over what it works on."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

import numpy as np

from kernels.networks.case import ABLATED
from kernels.numba_cpu.disk_cache import njit_cached

__all__ = ["ACTIVATIONS", "add_bias", "back", "descend", "remember", "to_error"]

Array = np.ndarray[Any, Any]
_jit = partial(njit_cached, nogil=True, error_model="numpy")


@_jit
def add_bias(h: Array, bias: Array, slope: Any = 0) -> None:
    """``h += bias``; `slope` is there so that it can stand for an activation."""
    for r in range(h.shape[0]):
        for j in range(h.shape[1]):
            h[r, j] += bias[j]


@_jit
def _relu(h: Array, bias: Array, slope: Any) -> None:
    for r in range(h.shape[0]):
        for j in range(h.shape[1]):
            v = h[r, j] + bias[j]
            h[r, j] = np.float32(0) if v <= np.float32(0) else v


@_jit
def _leaky_relu(h: Array, bias: Array, slope: Any) -> None:
    for r in range(h.shape[0]):
        for j in range(h.shape[1]):
            v = h[r, j] + bias[j]
            h[r, j] = v * slope if v <= np.float32(0) else v


ACTIVATIONS: Mapping[str, Callable[[Array, Array, Any], None]] = {
    "mlp_relu": _relu,
    "mlp_leaky_relu": _leaky_relu,
    ABLATED: add_bias,
}
"""``(h, bias, slope)``: add the bias and activate, in place."""


@_jit
def remember(h: Array, bias: Array, positive: Array) -> None:
    """Where ``h + bias`` is positive."""
    for r in range(h.shape[0]):
        for j in range(h.shape[1]):
            positive[r, j] = h[r, j] + bias[j] > np.float32(0)


@_jit
def to_error(y: Array, bias: Array, target: Array) -> Any:
    """The mean squared error of ``y + bias``; `y` becomes its gradient."""
    scale = np.float32(2) / np.float32(y.size)
    squares = 0.0
    for r in range(y.shape[0]):
        for o in range(y.shape[1]):
            error = y[r, o] + bias[o] - target[r, o]
            squares += error * error
            y[r, o] = error * scale
    return squares / y.size


@_jit
def back(dh: Array, positive: Array, slope: Any) -> None:
    """``dh`` back through the activation, in place."""
    for r in range(dh.shape[0]):
        for j in range(dh.shape[1]):
            dh[r, j] *= np.float32(1) if positive[r, j] else slope


@_jit
def descend(weight: Array, gradient: Array, bias: Array, errors: Array, rate: Any) -> None:
    """One step of SGD for a layer: its weight's gradient is given, its bias's is the sum of `errors`."""
    for j in range(weight.shape[0]):
        for i in range(weight.shape[1]):
            weight[j, i] -= rate * gradient[j, i]
    total = np.zeros(bias.shape[0], np.float32)  # subtracted one by one they would round as many times
    for r in range(errors.shape[0]):
        for j in range(errors.shape[1]):
            total[j] += errors[r, j]
    for j in range(bias.shape[0]):
        bias[j] -= rate * total[j]
