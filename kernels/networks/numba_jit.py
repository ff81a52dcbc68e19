"""The network in Numba: one fused loop for small ones, BLAS and fused loops around it for large ones.

The small ones are called with addresses, past Numba's dispatcher (as kernels/backends/numba_tuned.py is), which
would take most of so short a call.  The gradients are written by hand.  A call that `bind` returns has scratch
memory of its own: make it from one thread at a time.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from numba import carray, njit, types  # type: ignore[attr-defined]  # exported, though not in its list
from numba.extending import intrinsic, register_jitable

from kernels.api import Case
from kernels.backends.numba_jit import NumbaJit
from kernels.networks import blas
from kernels.networks import case as network
from kernels.networks import numba_parts as parts
from kernels.networks.case import ABLATED, NetworkCase
from kernels.networks.weights import Weights, initial, pack
from kernels.numba_cpu.disk_cache import njit_cached, why_not_compiled
from kernels.numba_cpu.entry import address_of, entry_of, locator
from kernels.numbers.host_arrays import aligned_empty

__all__ = ["NumbaMlp"]

Array = np.ndarray[Any, Any]
_SMALL = 1 << 19
"""Multiplications forward up to which one loop on one thread is faster than BLAS with its calls around it."""
_MATH = {"reassoc", "contract", "nsz"}
"""Sums in any order, so that they vectorise, and fused multiply-adds; NaN and infinities stay."""


class NumbaMlp(NumbaJit):
    """Our own forward and training step."""

    def why_not(self, case: Case) -> str | None:
        """None for a network on the CPU; for a count of threads, only where BLAS can be told."""
        return network.why_not(self.name, case) or why_not_compiled() or blas.why_not_threads(case.threads)

    def set_threads(self, count: int) -> int:
        """The threads of NumPy's BLAS; the fused loops of small networks use one."""
        return blas.set_threads(count)

    def bind(self, case: Case, x: Array, dy: Array | None, out: Array | None) -> Callable[[], Any]:
        """As `compile`: fresh weights; a training step has not been made yet."""
        assert isinstance(case, NetworkCase), "why_not has refused any other"
        a, b, c = case.widths
        small = case.batch * (a * b + b * c) <= _SMALL
        weights = initial(case)
        if dy is None:
            return (_fused if small else _around_blas)(case, weights, x)
        return (_fused_step if small else _step_around_blas)(case, weights, x, dy)

    def compile(self, case: Case, x: Array, dy: Array | None, out: Array | None) -> Callable[[], Any]:
        """JIT, or fetch from the on-disk cache, and run once on weights of its own; the call starts from fresh ones."""
        self.bind(case, x, dy, out)()
        return self.bind(case, x, dy, out)

    def to_numpy(self, result: Any) -> Array:
        """The outputs; of a training step one vector, `weights.pack`."""
        return pack(*result) if isinstance(result, tuple) else result


_FORWARD = types.void(types.intp, types.intp, types.float32)
_STEP = types.void(types.intp, types.float32, types.float32)


def _pointer_to(kind: Any) -> Any:
    """An intrinsic that takes an address for a pointer to numbers of that type."""
    pointer = types.CPointer(kind)  # type: ignore[no-untyped-call]  # Numba's own

    def generate(context: Any, builder: Any, _: Any, values: Any) -> Any:
        return builder.inttoptr(values[0], context.get_value_type(pointer))

    def emit(_: Any, address: Any) -> Any:
        return pointer(types.intp), generate

    return intrinsic(emit)


_floats, _words = _pointer_to(types.float32), _pointer_to(types.intp)


@njit(inline="always")
def _at(address, shape):  # type: ignore[no-untyped-def]  # typed by the caller
    return carray(_floats(address), shape)


@njit(inline="always")
def _dot(weight, j, values, r, total):  # type: ignore[no-untyped-def]  # as above
    """``total + weight[j] @ values[r]``."""
    for i in range(values.shape[1]):
        total += weight[j, i] * values[r, i]
    return total


@njit(inline="always")
def _back(row, errors, r, weight):  # type: ignore[no-untyped-def]  # as above
    """``row = errors[r] @ weight``."""
    for j in range(weight.shape[1]):
        row[j] = np.float32(0)
    for o in range(weight.shape[0]):
        for j in range(weight.shape[1]):
            row[j] += errors[r, o] * weight[o, j]


@njit(inline="always")
def _descend(weight, bias, errors, inputs, row, rate):  # type: ignore[no-untyped-def]  # noqa: PLR0917  # inlined, without keywords
    """``weight -= rate * errors.T @ inputs`` and the same for the bias; `row` is scratch."""
    batch, width = inputs.shape
    for j in range(weight.shape[0]):
        for i in range(width):
            row[i] = np.float32(0)
        total = np.float32(0)
        for r in range(batch):
            total += errors[r, j]
            for i in range(width):
                row[i] += errors[r, j] * inputs[r, i]
        for i in range(width):
            weight[j, i] -= rate * row[i]
        bias[j] -= rate * total


# Activations and their derivatives.  Numba's on-disk cache knows a loop again by the names of the functions that
# its closure holds: these have some, and compiled ones are new in each process.


@register_jitable(inline="always")
def _same(v, slope):  # type: ignore[no-untyped-def]  # as above
    return v


@register_jitable(inline="always")
def _one(v, slope):  # type: ignore[no-untyped-def]  # as above
    return np.float32(1)


@register_jitable(inline="always")
def _rectified(v, slope):  # type: ignore[no-untyped-def]  # as above
    return np.float32(0) if v <= np.float32(0) else v


@register_jitable(inline="always")
def _leaking(v, slope):  # type: ignore[no-untyped-def]  # as above
    return v * slope if v <= np.float32(0) else v


@register_jitable(inline="always")
def _one_or_slope(v, slope):  # type: ignore[no-untyped-def]  # as above
    return np.float32(1) if v > np.float32(0) else slope


_ACTIVATIONS: Mapping[str, tuple[Callable[..., Any], Callable[..., Any]]] = {
    ABLATED: (_same, _one),
    "mlp_relu": (_rectified, _one_or_slope),
    "mlp_leaky_relu": (_leaking, _one_or_slope),
}


def _forward_of(op: str) -> Callable[..., None]:
    activate, _ = _ACTIVATIONS[op]

    def forward(y, plan, slope):  # type: ignore[no-untyped-def]  # typed by the signature
        x, w1, b1, w2, b2, scratch, batch, a, b, c = carray(_words(plan), (10,))
        xs, ys, hidden = _at(x, (batch, a)), _at(y, (batch, c)), _at(scratch, (1, b))
        w1s, b1s, w2s, b2s = _at(w1, (b, a)), _at(b1, (b,)), _at(w2, (c, b)), _at(b2, (c,))
        for r in range(batch):
            for j in range(b):
                hidden[0, j] = activate(_dot(w1s, j, xs, r, b1s[j]), slope)
            for o in range(c):
                ys[r, o] = _dot(w2s, o, hidden, 0, b2s[o])

    return forward


def _step_of(op: str) -> Callable[..., None]:
    activate, derivative = _ACTIVATIONS[op]

    def step(plan, slope, rate):  # type: ignore[no-untyped-def]  # as above
        loss, x, t, w1, b1, w2, b2, scratch, batch, a, b, c = carray(_words(plan), (12,))
        xs, ts = _at(x, (batch, a)), _at(t, (batch, c))
        w1s, b1s, w2s, b2s = _at(w1, (b, a)), _at(b1, (b,)), _at(w2, (c, b)), _at(b2, (c,))
        hidden, size = batch * b, batch * c
        room = _at(scratch, (2 * hidden + size + max(a, b),))
        acts, backs = room[:hidden].reshape(batch, b), room[hidden : 2 * hidden].reshape(batch, b)
        errors, row = room[2 * hidden : 2 * hidden + size].reshape(batch, c), room[2 * hidden + size :]
        scale, squares = np.float32(2) / np.float32(size), np.float32(0)
        for r in range(batch):
            for j in range(b):
                total = _dot(w1s, j, xs, r, b1s[j])
                acts[r, j] = activate(total, slope)
                backs[r, j] = derivative(total, slope)
            for o in range(c):
                error = _dot(w2s, o, acts, r, b2s[o]) - ts[r, o]
                squares += error * error
                errors[r, o] = error * scale
            _back(row, errors, r, w2s)
            for j in range(b):
                backs[r, j] *= row[j]
        _descend(w2s, b2s, errors, acts, row, rate)
        _descend(w1s, b1s, backs, xs, row, rate)
        _at(loss, (1,))[0] = squares / np.float32(size)

    return step


@functools.cache
def _compiled(op: str, direction: str) -> Callable[..., None]:
    """The fused loop, compiled or fetched from the on-disk cache: ``(y, plan, slope)`` or ``(plan, slope, rate)``."""
    make, signature = (_forward_of, _FORWARD) if direction == "forward" else (_step_of, _STEP)
    function = make(op)
    function.__name__ = function.__qualname__ = f"fused_{op}_{direction}"
    compiled = njit_cached(function, signature, nogil=True, fastmath=_MATH, error_model="numpy")
    return entry_of(compiled)


def _fused(case: NetworkCase, weights: Weights, x: Array) -> Callable[[], Array]:
    kept = (x, *weights, aligned_empty(case.widths[1], np.float32))
    plan = np.array([*map(address_of, kept), case.batch, *case.widths])
    entry, slope, where = _compiled(case.op, "forward"), case.negative_slope, address_of(plan)
    empty, shape, kind, locate = np.empty, (case.batch, case.widths[2]), np.dtype(np.float32), locator(2, 4)

    def call(_kept: object = (kept, plan)) -> Array:  # the loop knows addresses only
        y = empty(shape, kind)
        entry(locate(y), where, slope)
        return y

    return call


def _fused_step(case: NetworkCase, weights: Weights, x: Array, target: Array) -> Callable[[], Any]:
    a, b, c = case.widths
    room = 2 * case.batch * b + case.batch * c + max(a, b)
    loss = np.zeros(1, np.float32)
    kept = (loss, x, target, *weights, aligned_empty(room, np.float32))
    plan = np.array([*map(address_of, kept), case.batch, a, b, c])
    entry, slope, rate = _compiled(case.op, "train_step"), case.negative_slope, case.learning_rate
    where, result = address_of(plan), (loss, weights)

    def call(_kept: object = (kept, plan)) -> tuple[Array, Weights]:  # as above
        entry(where, slope, rate)
        return result

    return call


def _around_blas(case: NetworkCase, weights: Weights, x: Array) -> Callable[[], Array]:
    w1t, b1, w2t, b2 = weights.w1.T, weights.b1, weights.w2.T, weights.b2
    activate, slope = parts.ACTIVATIONS[case.op], np.float32(case.negative_slope)

    def call() -> Array:
        h = x.dot(w1t)
        activate(h, b1, slope)
        y: Array = h.dot(w2t)
        parts.add_bias(y, b2)
        return y

    return call


def _step_around_blas(case: NetworkCase, weights: Weights, x: Array, target: Array) -> Callable[[], Any]:
    w1, b1, w2, b2 = weights
    activate, slope = parts.ACTIVATIONS[case.op], np.float32(case.negative_slope)
    rate, positive = np.float32(case.learning_rate), np.empty((case.batch, case.widths[1]), np.bool_)
    linear = case.op == ABLATED

    def call() -> tuple[Any, Weights]:
        h = x.dot(w1.T)
        if linear:
            parts.add_bias(h, b1)
        else:
            parts.remember(h, b1, positive)
            activate(h, b1, slope)
        dy = h.dot(w2.T)
        loss = parts.to_error(dy, b2, target)
        dh = dy.dot(w2)
        if not linear:
            parts.back(dh, positive, slope)
        parts.descend(w1, dh.T.dot(x), b1, dh, rate)
        parts.descend(w2, dy.T.dot(h), b2, dy, rate)
        return loss, weights

    return call
