"""Kernels of numba.cuda made of an op's expression for one element (`kernels.ops.formula`).

An element comes as bits, is computed in float32 or float64, and rounded once.  The expression stands in its op's file,
in Python's `math` and the words of `kernels.ops.scalars`, which are given their meaning for a card here.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from types import FunctionType, SimpleNamespace
from typing import Any

import numpy as np

from kernels.gpu.cuda_elements import to_bfloat
from kernels.gpu.cuda_kernels import kernel_of
from kernels.gpu.cuda_words import (
    SIMULATED,
    bits_of,
    bits_of_double,
    device,
    double_of,
    float_of,
    from_half,
    to_half,
)
from kernels.op_facts import params_of_text
from kernels.ops import op_of
from kernels.ops.formula import Formula

__all__ = ["formula_kernel"]

Function = Callable[..., Any]


def _from_bfloat(v: Any) -> Any:
    return float_of(np.uint32(np.uint32(v) << np.uint32(16)))


_WIDENED = {"float16": from_half, "bfloat16": device(_from_bfloat), "float32": float_of, "float64": double_of}
_ROUNDED = {"float16": to_half, "bfloat16": to_bfloat, "float32": bits_of, "float64": bits_of_double}


@functools.cache
def formula_kernel(op: str, direction: str, params: str, dtype: str, inputs: int) -> Any:
    """The kernel of an op that computes, on so many arrays: see `cuda_kernels.kernel`; the slope is not looked at.

    In backward they are dy and x, in forward x, or x and r.
    """
    kind = op_of(op)
    assert isinstance(kind, Formula), "relu and leaky_relu have kernels of their own"
    wide: Any = np.float64 if dtype == "float64" else np.float32
    work = device(_on_card(kind.scalar(direction, params_of_text(params)), wide))
    widened, rounded = _WIDENED[dtype], _ROUNDED[dtype]

    def of_one(v: Any, slope: Any) -> Any:
        return rounded(wide(work(widened(v))))

    def of_two(g: Any, v: Any, slope: Any) -> Any:
        return rounded(wide(work(widened(g), widened(v))))

    return kernel_of(device(of_one if inputs == 1 else of_two), dtype, inputs)


def _on_card(function: Any, wide: Any) -> Function:
    """The expression with its words in the meaning that they have in a kernel which computes in `wide`."""

    def typed(v: Any, value: Any) -> Any:
        return wide(value)

    words = {"typed": device(typed)} | ({"math": _simulated_math()} if SIMULATED else {})
    return FunctionType(
        function.__code__,
        {**function.__globals__, **words},
        function.__name__,
        function.__defaults__,
        function.__closure__,
    )


def _simulated_math() -> SimpleNamespace:
    """As on a card: infinite where Python's own would raise, and in the precision of its argument."""
    from scipy import special  # type: ignore[import-untyped]  # noqa: PLC0415  # for the simulator alone

    return SimpleNamespace(exp=np.exp, expm1=np.expm1, tanh=np.tanh, erf=special.erf)
