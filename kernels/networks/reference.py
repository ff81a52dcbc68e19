"""What the right answer is, in float64, and how far float32 may be from it.

The bound: a sum of k products, rounded k times by at most u = 2**-24 each, is off by the sum of those
roundings.  The worst case, ``k * u * sum |terms|`` (N. Higham, Accuracy and Stability of Numerical
Algorithms, 2nd ed. 2002, section 3.1), lets a wrong activation pass at wide layers.  Here the terms have random
signs and the roundings do not agree, so partial sums are of the size of ``sqrt(sum terms**2)`` and the
errors grow as sqrt(k) (N. Higham and T. Mary, A new approach to probabilistic rounding error analysis, SIAM J.
Sci. Comput. 41, 2019; for data of random signs: Sharper probabilistic backward error analysis, 42, 2020):

    |error| <= C * sqrt(k) * u * size        C = 16

through both layers: k is the number of terms on the longest way, and `size` the root of that sum of squares, for
which the mean square of a weight, 1 / (3 fan-in), stands: exact enough, and it needs no second product.
tests/bench/arm/test_network.py shows how much of it honest implementations use, and that a product in float16,
weights in bfloat16 or the other activation do not fit.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np

from kernels.networks.case import NetworkCase
from kernels.networks.weights import Weights

__all__ = ["C", "Pass", "Trained", "flow", "forward", "loss", "train"]

Array = np.ndarray[Any, Any]
U = 2.0**-24
"""Half a float32 ULP of 1: the largest relative error of one rounding."""
C = 16.0
"""The bound's factor: see above."""
_BLOCK = 512
"""Rows of a weight that are widened to float64 at a time, so that no copy of all of it is needed."""
_FLOW_FLOPS = 2e9
"""What following the weights may cost: a second or so of float64 products, since it is done for every arm."""
_PASSES = 20
"""How often each parameter is passed over in a step, in operations: what a step costs where the batch is small."""


@dataclass(frozen=True, slots=True)
class Pass:
    """A forward pass, all float64: `h` before and `a` after the activation (batch, hidden), `y` (batch, output).

    `h_size` and `y_size` (batch, 1) are what a row's sums typically are; `h_bound` and `y_bound` (batch, 1) how
    far float32 may be off.
    """

    h: Array
    a: Array
    y: Array
    h_size: Array
    y_size: Array
    h_bound: Array
    y_bound: Array


@dataclass(frozen=True, slots=True)
class Trained:
    """After some steps: the last one's loss, the weights (float64), and how far float32 may be off."""

    loss: float
    loss_bound: float
    weights: Weights
    bounds: Weights


def forward(case: NetworkCase, weights: Weights, x: Array) -> Pass:
    """The network on the rows of `x` (any number of rows, input width)."""
    a_width, b_width, _ = case.widths
    x = x.astype(np.float64)
    h = _product(x, weights.w1) + weights.b1
    a = np.where(h > 0, h, case.slope * h)
    y = _product(a, weights.w2) + weights.b2
    h_square = (np.square(x).sum(1, keepdims=True) + 1) / (3 * a_width)
    y_square = (b_width * h_square + 1) / (3 * b_width)
    h_size, y_size = np.sqrt(h_square), np.sqrt(y_square)
    k = a_width + 2
    return Pass(h, a, y, h_size, y_size, _bound(k, h_size), _bound(k + b_width + 2, y_size))


def _bound(k: int, size: Array) -> Array:
    return np.asarray(C * math.sqrt(k) * U * size)


def loss(y: Array, target: Array) -> float:
    """The mean squared error over all elements."""
    return float(np.square(y - target, dtype=np.float64).mean())


def train(case: NetworkCase, weights: Weights, x: Array, target: Array, steps: int) -> Trained:
    """`steps` steps of SGD from `weights` on one batch, with what float32 may be off after them.

    The bound adds up, step by step, the rounding of the weights themselves and the learning rate times
    the error of the gradients, and doubles the sum for what an error does in later steps.
    """
    now = Weights(*(part.astype(np.float64) for part in weights))
    bounds = Weights(*(np.zeros(part.shape) for part in weights))
    value = value_bound = 0.0
    rate = case.learning_rate
    for _ in range(steps):
        done = forward(case, now, x)
        error = done.y - target
        value = loss(done.y, target)
        typical = done.y_size + np.abs(target)
        value_bound = 4 * float((np.abs(error) * done.y_bound).mean() + U * (typical * typical).mean())
        grads, errors = _gradients(case, now, x, done, error=error, typical=typical)
        for w, bound, gradient, off in zip(now, bounds, grads, errors, strict=True):
            grown = 4 * U * np.abs(w) + 2 * rate * (off + 2 * U * np.abs(gradient))
            np.add(bound, grown, out=bound)
        _descend(now, grads, rate)
    return Trained(value, value_bound, now, bounds)


def flow(case: NetworkCase, weights: Weights, x: Array, target: Array, steps: int) -> tuple[float, Weights]:
    """Loss and weights after `steps` steps, by fewer and longer ones: for seeing how many were made.

    Gradient descent with a small rate follows the gradient flow, whose place after ``steps * rate`` a few
    larger Euler steps find as well; expect an error of a small share of the way.
    """
    cost = max(case.flops, _PASSES * case.parameters)
    count = min(steps, max(8, min(256, int(_FLOW_FLOPS / cost))))
    rate = case.learning_rate * steps / max(count, 1)
    now = Weights(*(part.astype(np.float64) for part in weights))
    value = 0.0
    for _ in range(count):
        done = forward(case, now, x)
        value = loss(done.y, target)
        grads, _ = _gradients(case, now, x, done, error=done.y - target, typical=None)
        _descend(now, grads, rate)
    return value, now


def _descend(weights: Weights, gradients: Weights, rate: float) -> None:
    for weight, gradient in zip(weights, gradients, strict=True):
        np.subtract(weight, rate * gradient, out=weight)


def _product(x: Array, weight: Array) -> Array:
    """``x @ weight.T`` in float64, block by block: a wide layer in float64 need not fit in memory."""
    result = np.empty((x.shape[0], weight.shape[0]))
    for start in range(0, weight.shape[0], _BLOCK):
        block = weight[start : start + _BLOCK].astype(np.float64, copy=False)
        with np.errstate(invalid="ignore"):  # NaN is a value here
            result[:, start : start + _BLOCK] = x @ block.T
    return result


def _gradients(
    case: NetworkCase, weights: Weights, x: Array, done: Pass, *, error: Array, typical: Array | None
) -> tuple[Weights, Weights]:
    """The loss's gradients, and how far float32 may be off (zeros where `typical` is None)."""
    x = x.astype(np.float64)
    scale = 2.0 / error.size
    dy = scale * error
    slope = np.where(done.h > 0, 1.0, case.slope)
    dh = (dy @ weights.w2) * slope
    grads = Weights(dh.T @ x, dh.sum(0), dy.T @ done.a, dy.sum(0))
    if typical is None:
        return grads, grads
    k = sum(case.widths) + case.batch + 8
    dy_square = np.square(scale * typical)
    dh_square = dy_square.sum(1, keepdims=True) / (3 * case.widths[1])
    x_square, h_square = np.square(x), np.square(done.h_size)
    w1, b1 = (dh_square * x_square).sum(0), dh_square.sum(0)
    w2, b2 = (dy_square * h_square).sum(0)[:, None], dy_square.sum(0)
    errors = [_bound(k, np.sqrt(size)) for size in (w1, b1, w2, b2)]
    # So near the kink that float32 may see the other side, the whole difference may be there.
    unsure = np.abs(dy @ weights.w2) * (np.abs(done.h) <= done.h_bound) * abs(1.0 - case.slope)
    errors[0] = errors[0] + (unsure.T @ np.abs(x) if unsure.any() else 0.0)
    errors[1] = errors[1] + unsure.sum(0)
    return grads, Weights(*errors)
