"""A call with two results: dx, which it returns, and the gradient of a parameter that is learnt, as prelu's slope.

A training step needs both, and frameworks make them together.  So a backend that serves such an op backward makes both
in each call, and their time is one.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from kernels.api import Case

__all__ = ["TwoResults", "jax_gradients", "keeping"]


class TwoResults:
    """Call `both`, which gives the pair; return dx.

    `slope_gradient` is the other one of the last call, the backend's own handle on one element of x's dtype: None
    before the first call.
    """

    __slots__ = ("_both", "slope_gradient")

    def __init__(self, both: Callable[[], tuple[Any, Any]]) -> None:
        self._both = both
        self.slope_gradient: Any = None

    def __call__(self) -> Any:
        """Both; dx is returned."""
        dx, self.slope_gradient = self._both()
        return dx


def keeping(case: Case, call: Callable[[], Any]) -> Callable[[], Any]:
    """`call`, which gives a pair where the case has two results: there it then returns dx."""
    return TwoResults(call) if case.two_results else call


def jax_gradients(
    jax: Any, forward: Callable[..., Any], values: Mapping[str, float]
) -> Callable[[Any, Any], tuple[Any, Any]]:
    """``(x, dy)``: the pair, as JAX derives it from ``forward(jax, values)``, the op with its one parameter."""
    ((name, value),) = values.items()

    def both(x: Any, dy: Any) -> tuple[Any, Any]:
        parameter = jax.numpy.asarray(value, x.dtype)
        dx, by_slope = jax.vjp(lambda x, p: forward(jax, {name: p})(x), x, parameter)[1](dy)
        return dx, by_slope

    return both
