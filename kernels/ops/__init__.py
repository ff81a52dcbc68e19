"""The operations, a file each: formula, derivative, what is judged, and how each framework says it.

A file is a module with the attributes of `Op`; its name is the op's, in options and in CSV files.
"""

from __future__ import annotations

import functools
import importlib
from collections.abc import Callable
from typing import Any, Protocol

import numpy.typing as npt

from kernels.api import OPS

__all__ = ["Array", "Call", "Op", "Target", "op_of"]

Array = npt.NDArray[Any]
Call = Callable[[], Array]
"""A call on arrays that it knows already; returns the result."""
Target = Array | None
"""Where a result goes: None for a new array, the overwritten input for placement ``inplace``, else `out`."""


class Op(Protocol):
    """What an op's file says.  `slope` is the case's negative slope, which an op without one ignores.

    A framework comes as an argument, so that importing an op imports no framework but NumPy.
    """

    scales: bool
    """Whether anything is multiplied by a slope.  If not, an answer is 0 or an input: no rounding model differs."""

    def reference(self, x: Array, scale: Callable[[Array], Array]) -> Array:
        """The right op(x), a new NumPy array; ``scale(values)`` is ``slope * values``, rounded by the model at hand."""

    def derivative(self, dy: Array, x: Array, scale: Callable[[Array], Array]) -> Array:
        """The right dx = dy * op'(x), likewise."""

    @property
    def scalar(self) -> Callable[..., Any]:
        """``(v[, slope])``: one element, in the words of `kernels.ops.scalars`, for Numba to compile."""

    @property
    def scalar_derivative(self) -> Callable[..., Any]:
        """``(g, v[, slope])``: one element of dy and of x, likewise."""

    def numpy_forward(self, x: Array, target: Target, slope: float) -> Call:
        """NumPy's call of op(x)."""

    def numpy_backward(self, x: Array, dy: Array, target: Target, slope: float) -> Call:
        """NumPy's call of dy * op'(x)."""

    def numpy_may_warn(self, slope: float) -> bool:
        """Whether numbers, infinities or quiet NaNs could make NumPy warn in float32 or float64."""

    def jax_forward(self, jax: Any, slope: float) -> Callable[[Any], Any]:
        """op(x) as users of JAX write it; JAX derives the gradient."""

    def torch_forward(self, torch: Any, x: Any, target: Any, slope: float) -> Callable[[], Any]:
        """torch's call of op(x)."""

    def torch_backward(self, torch: Any, x: Any, dy: Any, target: Any, slope: float) -> Callable[[], Any]:
        """torch's call of dy * op'(x), the one that autograd makes."""

    def torch_traced(self, torch: Any, slope: float) -> Callable[[Any], Any]:
        """op(x) for torch.compile to trace."""

    def torch_traced_backward(self, torch: Any, slope: float) -> Callable[[Any, Any], Any]:
        """``(dy, x)``: dy * op'(x), likewise."""


@functools.cache
def op_of(name: str) -> Op:
    """The op called `name`.  Raises ValueError for a name that is not in `kernels.api.OPS`."""
    if name not in OPS:
        raise ValueError(f"op is {name!r}; allowed: {', '.join(OPS)}")
    op: Op = importlib.import_module(f"{__name__}.{name}")  # tests hold it to Op
    return op
