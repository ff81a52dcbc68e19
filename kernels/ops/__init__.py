"""The operations, a file each: formula, derivative, what is judged, and how each framework says it.

A file's name is the op's, in options and in CSV files.  It is an `ExactOp`, whose answers are 0 or an input or one
product, or it has an `op`, a `kernels.ops.formula.Formula`: expressions, and how far from the right answer they may be.
"""

from __future__ import annotations

import functools
import importlib
from collections.abc import Callable, Mapping
from typing import Any, Protocol

import numpy.typing as npt

from kernels.api import OPS

__all__ = ["Array", "Call", "ExactOp", "Op", "Target", "Values", "exact_op", "op_of", "own", "why_not"]

Array = npt.NDArray[Any]
Call = Callable[[], Array]
"""A call on arrays that it knows already; returns the result."""
Target = Array | None
"""Where a result goes: None for a new array, the overwritten input for placement ``inplace``, else `out`."""


Values = Mapping[str, float]
"""The parameters of a case by name (`kernels.api.Case.values`), as ``{"negative_slope": 0.01}``."""


class Op(Protocol):
    """What backends ask of an op.  `x` is a tuple of arrays where the op has several inputs.

    A framework comes as an argument, so that importing an op imports no framework but NumPy.
    """

    def numpy_forward(self, x: Any, target: Target, values: Values) -> Call:
        """NumPy's call of op(x)."""

    def numpy_backward(self, x: Array, dy: Array, target: Target, values: Values) -> Call:
        """NumPy's call of dy * op'(x)."""

    def numpy_may_warn(self, values: Values) -> bool:
        """Whether numbers, infinities or quiet NaNs could make NumPy warn in float32 or float64."""

    def jax_forward(self, jax: Any, values: Values) -> Callable[..., Any]:
        """op(x) as users of JAX write it; JAX derives the gradient."""

    def torch_forward(self, torch: Any, x: Any, target: Any, values: Values) -> Callable[[], Any]:
        """torch's call of op(x)."""

    def torch_backward(self, torch: Any, x: Any, dy: Any, target: Any, values: Values) -> Callable[[], Any]:
        """torch's call of dy * op'(x), the one that autograd makes."""

    def torch_traced(self, torch: Any, values: Values) -> Callable[..., Any]:
        """op(x) for torch.compile to trace."""

    def torch_traced_backward(self, torch: Any, values: Values) -> Callable[[Any, Any], Any]:
        """``(dy, x)``: dy * op'(x), likewise."""


class ExactOp(Op, Protocol):
    """An op that selects, or multiplies once: its right answer has bits, under a rounding model."""

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


own: dict[str, Op] = {}
"""Users' own ops, by name (`kernels.ops.own`)."""


def op_of(name: str) -> Op:
    """The op called `name`.  Raises ValueError for a name that is not in `kernels.api.OPS`, and not of one's own."""
    return own[name] if name in own else _built_in(name)


def exact_op(name: str) -> ExactOp:
    """The op called `name`, one that is exact.  Raises ValueError for any other."""
    op = op_of(name)
    if not hasattr(op, "scales"):
        raise ValueError(f"op {name} has no exact answer; see kernels.correctness.bounded")
    return op  # type: ignore[return-value]  # it has what makes it one; tests hold it to ExactOp


def why_not(framework: str, name: str, direction: str, placement: str) -> str | None:
    """Why a framework (as ``numba``) cannot serve the op called `name`: an expression that it lacks; None if it can."""
    lacks: Callable[[str, str, str, str], str | None] | None = getattr(op_of(name), "lacks", None)
    return None if lacks is None else lacks(framework, name, direction, placement)


@functools.cache
def _built_in(name: str) -> Op:
    if name not in OPS:
        raise ValueError(f"op is {name!r}; allowed: {', '.join(OPS)}")
    module = importlib.import_module(f"{__name__}.{name}")
    op: Op = getattr(module, "op", module)  # tests hold it to Op
    return op
