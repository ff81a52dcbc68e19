"""relu: x where x > 0, else 0; NaN passes through.  Its derivative is 1 where x > 0, else 0.

Judged: 0 ULP, whatever the framework, since nothing is rounded.  No parameters.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np

from kernels.ops import Array, Call, Target, Values
from kernels.ops.scalars import at_most_zero, positive, zero

scales = False


def reference(x: Array, scale: Callable[[Array], Array]) -> Array:
    """``where(x <= 0, 0, x)``, which is how NaN gets through."""
    return np.where(x <= 0, np.zeros_like(x), x)


def derivative(dy: Array, x: Array, scale: Callable[[Array], Array]) -> Array:
    """``where(x > 0, dy, 0)``, also where dy is not finite."""
    return np.where(x > 0, dy, np.zeros_like(dy))


def scalar(v: Any) -> Any:
    """One element; -0 gives +0."""
    return zero(v) if at_most_zero(v) else v


def scalar_derivative(g: Any, v: Any) -> Any:
    """One element."""
    return g if positive(v) else zero(g)


def numpy_forward(x: Array, target: Target, values: Values) -> Call:
    """One ufunc."""
    return partial(np.maximum, x, x.dtype.type(0), out=target)


def numpy_backward(x: Array, dy: Array, target: Target, values: Values) -> Call:
    """The bits of dy times 0 or 1: a product of floats would turn an infinite dy into NaN."""
    multiply, greater, nought, dtype = np.multiply, np.greater, x.dtype.type(0), x.dtype
    dy_bits = dy.view(f"u{dtype.itemsize}")

    def new() -> Array:
        return multiply(dy_bits, greater(x, nought)).view(dtype)  # type: ignore[no-any-return]  # a ufunc's result is Any

    if target is None:
        return new
    result, mask, bits = target, np.empty_like(x, np.bool), target.view(dy_bits.dtype)

    def into() -> Array:
        multiply(dy_bits, greater(x, nought, mask), bits)
        return result

    return into


def numpy_may_warn(values: Values) -> bool:
    """Never."""
    return False


def jax_forward(jax: Any, values: Values) -> Callable[[Any], Any]:
    """JAX's own."""
    return jax.nn.relu  # type: ignore[no-any-return]  # a framework that comes as an argument has no types


def torch_forward(torch: Any, x: Any, target: Any, values: Values) -> Callable[[], Any]:
    """torch's own; into an array its clamp_min, which is the same kernel: relu's would allocate and copy."""
    if target is None:
        return partial(torch.relu, x)
    if target is x:
        return partial(torch.relu_, x)
    return partial(torch.clamp_min, x, 0, out=target)


def torch_backward(torch: Any, x: Any, dy: Any, target: Any, values: Values) -> Callable[[], Any]:
    """aten's threshold_backward."""
    packet = torch.ops.aten.threshold_backward
    if target is None:
        return partial(packet.default, dy, x, 0)
    return partial(packet.grad_input, dy, x, 0, grad_input=target)


def torch_traced(torch: Any, values: Values) -> Callable[[Any], Any]:
    """torch's own."""
    return torch.relu  # type: ignore[no-any-return]  # as above


def torch_traced_backward(torch: Any, values: Values) -> Callable[[Any, Any], Any]:
    """aten's threshold_backward."""
    aten = torch.ops.aten
    return lambda dy, x: aten.threshold_backward.default(dy, x, 0)
