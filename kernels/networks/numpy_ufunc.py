"""The network in NumPy: BLAS for the products, ufuncs for the rest; the gradients are written by hand."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from kernels.api import Case
from kernels.backends.numpy_ufunc import NumpyUfunc
from kernels.networks import blas
from kernels.networks import case as network
from kernels.networks.case import ABLATED, NetworkCase
from kernels.networks.weights import Weights, initial, pack

__all__ = ["NumpyMlp"]

Array = np.ndarray[Any, Any]
Activate = Callable[[Array], Array]


class NumpyMlp(NumpyUfunc):
    """Five calls forward; thirty for a training step."""

    def why_not(self, case: Case) -> str | None:
        """None for a network on the CPU; for a count of threads, only where BLAS can be told."""
        return network.why_not(self.name, case) or blas.why_not_threads(case.threads)

    def set_threads(self, count: int) -> int:
        """The threads of NumPy's BLAS."""
        return blas.set_threads(count)

    def bind(self, case: Case, x: Array, dy: Array | None, out: Array | None) -> Callable[[], Any]:
        """As `compile`: fresh weights; a training step has not been made yet."""
        assert isinstance(case, NetworkCase), "why_not has refused any other"
        weights = initial(case)
        if case.direction == "forward":
            return _forward(case, weights, x)
        assert dy is not None, "a training step comes with targets"
        return _train_step(case, weights, x, dy)

    def compile(self, case: Case, x: Array, dy: Array | None, out: Array | None) -> Callable[[], Any]:
        """Run once on weights of its own: the call that is returned starts from fresh ones."""
        self.bind(case, x, dy, out)()
        return self.bind(case, x, dy, out)

    def to_numpy(self, result: Any) -> Array:
        """The outputs; of a training step one vector, `weights.pack`."""
        return pack(*result) if isinstance(result, tuple) else result


def _activation(case: NetworkCase) -> Activate:
    """In place where it can be: `h` is the call's own."""
    zero, slope, maximum = np.float32(0), np.float32(case.negative_slope), np.maximum
    if case.op == ABLATED:
        return lambda h: h
    if case.op == "mlp_relu":
        return lambda h: maximum(h, zero, out=h)
    if 0 < slope <= 1:
        return lambda h: maximum(h, h * slope, out=h)
    return lambda h: np.asarray(np.where(h > zero, h, h * slope))


def _forward(case: NetworkCase, weights: Weights, x: Array) -> Callable[[], Array]:
    w1t, b1, w2t, b2 = weights.w1.T, weights.b1, weights.w2.T, weights.b2
    activate, multiply, add = _activation(case), x.dot, np.add

    def call() -> Array:
        h = multiply(w1t)
        add(h, b1, h)
        y = activate(h).dot(w2t)
        return add(y, b2, y)  # type: ignore[no-any-return]  # a ufunc's result is Any

    return call


def _gradient(case: NetworkCase) -> Callable[[Array, Array], object]:
    """``(gradient, where h > 0)``: back through the activation, in place."""
    slope, multiply, maximum = np.float32(case.negative_slope), np.multiply, np.maximum
    if case.op == ABLATED:
        return lambda dh, passes: None
    if case.op == "mlp_relu":
        return lambda dh, passes: multiply(dh, passes, dh)
    if 0 <= slope <= 1:  # np.where mispredicts a branch at every second element
        return lambda dh, passes: multiply(dh, maximum(passes, slope), dh)
    return lambda dh, passes: multiply(dh, np.where(passes, np.float32(1), slope), dh)


def _train_step(case: NetworkCase, weights: Weights, x: Array, target: Array) -> Callable[[], Any]:
    w1, b1, w2, b2 = weights
    activate, back = _activation(case), _gradient(case)
    rate, scale, zero = np.float32(case.learning_rate), np.float32(2.0 / target.size), np.float32(0)

    def descend(parameter: Array, gradient: Array) -> None:
        gradient *= rate
        parameter -= gradient

    def call() -> tuple[Any, Weights]:
        h = x.dot(w1.T)
        h += b1
        passes = h > zero
        a = activate(h)
        dy = a.dot(w2.T)
        dy += b2
        dy -= target
        loss = np.square(dy).mean()
        dy *= scale
        dh = dy.dot(w2)
        back(dh, passes)
        descend(w1, dh.T.dot(x))
        descend(b1, dh.sum(0))
        descend(w2, dy.T.dot(a))
        descend(b2, dy.sum(0))
        return loss, weights

    return call
