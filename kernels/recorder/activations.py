"""Which of torch's operators are activations, and what a call of one is to this suite."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from kernels.api import DTYPES, OPS

__all__ = ["Call", "call_of", "is_backward", "is_plain"]

_BACKWARDS: Mapping[str, str] = {"threshold_backward": "relu"}
"""Operators of a gradient whose name is not that of their op; threshold_backward is what relu's gradient is."""
_KNOWN = (
    *("relu", "leaky_relu", "threshold", "hardtanh", "elu", "gelu", "silu", "mish", "sigmoid", "tanh", "glu"),
    *("hardswish", "hardsigmoid", "softplus", "log_sigmoid", "_prelu_kernel", "rrelu_with_noise"),
)
"""Names of activations in ATen, without ``_`` and ``_backward``: what is none of `OPS` is told, not measured."""


@dataclass(frozen=True, slots=True)
class Call:
    """One call of an activation: see `kernels.recorder.cases_file.Used`; `why` it cannot be measured, or empty."""

    op: str
    direction: str
    placement: str
    dtype: str
    shape: tuple[int, ...]
    layout: str
    device: str
    threads: int
    negative_slope: float
    why: str = ""


def is_backward(name: str) -> bool:
    """Whether an operator is part of a backward pass."""
    return name.endswith("_backward")


def call_of(name: str, overload: str, args: tuple[Any, ...], default_threads: int) -> Call | None:
    """What ``aten::name.overload(*args)`` is; None if it is no activation, or of no plain tensor.

    `default_threads`: what torch has when nobody sets it.
    """
    backward = is_backward(name)
    op = _BACKWARDS.get(name) or name.removesuffix("_backward").removesuffix("_")
    if op not in _KNOWN or len(args) <= backward:
        return None
    x = args[1] if backward else args[0]
    if not is_plain(x) or not x.numel():
        return None
    slope = _slope(op, args, backward=backward)
    why = _why_not(op, x, slope, name, args)
    threads = torch.get_num_threads()
    return Call(
        op,
        "backward" if backward else "forward",
        "out" if overload in ("out", "grad_input") else "inplace" if name.endswith("_") else "new",
        str(x.dtype).removeprefix("torch."),
        tuple(x.shape),
        "contiguous" if _dense(x) else "strided",
        x.device.type,
        0 if threads == default_threads or x.device.type != "cpu" else threads,
        0.0 if math.isnan(slope) else slope,
        why,
    )


def is_plain(x: Any) -> bool:
    """Whether it is a tensor with memory of its own: no stand-in of a tracer, and nobody's subclass."""
    return isinstance(x, Tensor) and type(x) in (Tensor, torch.nn.Parameter) and not x.is_meta


def _slope(op: str, args: tuple[Any, ...], *, backward: bool) -> float:
    if op != "leaky_relu":
        return 0.0
    at = 2 if backward else 1
    given = args[at] if len(args) > at else 0.01
    return float(given) if isinstance(given, int | float) else math.nan


def _why_not(op: str, x: Tensor, slope: float, name: str, args: tuple[Any, ...]) -> str:
    if op not in OPS:
        return f"this suite measures {', '.join(OPS)}"
    if str(x.dtype).removeprefix("torch.") not in DTYPES:
        return f"dtype {str(x.dtype).removeprefix('torch.')}; this suite has {', '.join(DTYPES)}"
    if x.device.type not in ("cpu", "cuda"):
        return f"device {x.device.type}; this suite has cpu and cuda"
    if name == "threshold_backward" and len(args) > 2 and args[2] != 0:
        return "a threshold other than 0"
    return "a slope that is no number" if math.isnan(slope) else ""


def _dense(x: Tensor) -> bool:
    """Whether its elements fill their memory without gaps or repeats, in whatever order of dimensions."""
    expected = 1
    for stride, size in sorted(zip(x.stride(), x.shape, strict=True)):
        if size == 1:
            continue
        if stride != expected:
            return False
        expected *= size
    return True
