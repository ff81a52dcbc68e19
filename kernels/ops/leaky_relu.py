"""leaky_relu: x where x > 0, else slope * x; NaN passes through.  Its derivative is 1 where x > 0, else the slope.

Judged: 0 ULP against one rounding model for the whole array, as the frameworks differ in the precision of
slope and product (`kernels.correctness.reference`).  One parameter, ``negative_slope``: any number.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np

from kernels.ops import Array, Call, Target, Values
from kernels.ops.scalars import at_most_zero, positive, product

scales = True


def reference(x: Array, scale: Callable[[Array], Array]) -> Array:
    """``where(x <= 0, slope * x, x)``, which is how NaN gets through."""
    return np.where(x <= 0, scale(x), x)


def derivative(dy: Array, x: Array, scale: Callable[[Array], Array]) -> Array:
    """``where(x > 0, dy, slope * dy)``."""
    return np.where(x > 0, dy, scale(dy))


def scalar(v: Any, slope: Any) -> Any:
    """One element."""
    return product(v, slope) if at_most_zero(v) else v


def scalar_derivative(g: Any, v: Any, slope: Any) -> Any:
    """One element."""
    return g if positive(v) else product(g, slope)


def numpy_forward(x: Array, target: Target, values: Values) -> Call:
    """The larger of x and slope * x (the smaller for a slope above 1), where that is the same; else by a mask."""
    rounded = x.dtype.type(values["negative_slope"])
    if 0 < rounded <= 1:
        return _by(np.maximum, x, target, rounded)
    if 1 < rounded < np.inf:
        return _by(np.minimum, x, target, rounded)
    return _by_mask(x, target, rounded)  # max(inf, 0 * inf) would be NaN


def _by(pick: np.ufunc, x: Array, target: Target, slope: Any) -> Call:
    multiply = np.multiply
    scratch = np.empty_like(x) if target is x else target

    def new() -> Array:
        scaled = multiply(x, slope)
        return pick(x, scaled, out=scaled)  # type: ignore[no-any-return]  # a ufunc's result is Any

    def into() -> Array:
        return pick(x, multiply(x, slope, scratch), out=target)  # type: ignore[no-any-return]  # as above

    return new if target is None else into


def _by_mask(x: Array, target: Target, slope: Any) -> Call:
    multiply, less_equal, copyto, zero = np.multiply, np.less_equal, np.copyto, x.dtype.type(0)

    def new() -> Array:
        result = x.copy()
        copyto(result, multiply(x, slope), where=less_equal(x, zero))
        return result

    if target is None:
        return new
    result, mask, scaled = target, np.empty_like(x, np.bool), np.empty_like(x)

    def into() -> Array:
        if result is not x:
            copyto(result, x)
        copyto(result, multiply(x, slope, scaled), where=less_equal(x, zero, mask))
        return result

    return into


def numpy_backward(x: Array, dy: Array, target: Target, values: Values) -> Call:
    """dy times 1 or the slope, which are chosen by integer arithmetic on their bits."""
    multiply, greater, add, zero, dtype = np.multiply, np.greater, np.add, x.dtype.type(0), x.dtype
    low, one = np.array([dtype.type(values["negative_slope"]), 1], dtype).view(f"u{dtype.itemsize}")
    step = np.array([one], low.dtype) - low  # wraps round, and so does adding it to `low`

    def new() -> Array:
        factor = multiply(greater(x, zero), step)
        return multiply(dy, add(factor, low, factor).view(dtype))  # type: ignore[no-any-return]  # as above

    if target is None:
        return new
    mask, factor = np.empty_like(x, np.bool), np.empty_like(x)
    bits = factor.view(low.dtype)

    def into() -> Array:
        add(multiply(greater(x, zero, mask), step, bits), low, bits)
        return multiply(dy, factor, target)

    return into


def numpy_may_warn(values: Values) -> bool:
    """Where 0 is multiplied by an infinity, or a product overflows."""
    return not 0 < values["negative_slope"] <= 1


def jax_forward(jax: Any, values: Values) -> Callable[[Any], Any]:
    """JAX's own."""
    return partial(jax.nn.leaky_relu, negative_slope=values["negative_slope"])


def torch_forward(torch: Any, x: Any, target: Any, values: Values) -> Callable[[], Any]:
    """torch's own."""
    nn, slope = torch._C._nn, values["negative_slope"]
    if target is None:
        return partial(nn.leaky_relu, x, slope)
    if target is x:
        return partial(nn.leaky_relu_, x, slope)
    return partial(nn.leaky_relu, x, slope, out=target)


def torch_backward(torch: Any, x: Any, dy: Any, target: Any, values: Values) -> Callable[[], Any]:
    """aten's leaky_relu_backward; False: it is given x, not the result."""
    packet, slope = torch.ops.aten.leaky_relu_backward, values["negative_slope"]
    if target is None:
        return partial(packet.default, dy, x, slope, False)
    return partial(packet.grad_input, dy, x, slope, False, grad_input=target)


def torch_traced(torch: Any, values: Values) -> Callable[[Any], Any]:
    """torch's own."""
    slope = values["negative_slope"]
    return lambda x: torch.nn.functional.leaky_relu(x, slope)


def torch_traced_backward(torch: Any, values: Values) -> Callable[[Any, Any], Any]:
    """aten's leaky_relu_backward, as above."""
    aten, slope = torch.ops.aten, values["negative_slope"]
    return lambda dy, x: aten.leaky_relu_backward.default(dy, x, slope, False)
