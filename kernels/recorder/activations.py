"""Which of torch's operators are activations, and what a call of one is to this suite."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import torch
from torch import Tensor

from kernels.api import DTYPES, OPS
from kernels.op_facts import text_of_params, whole_params
from kernels.recorder.cases_file import Kind

__all__ = ["Call", "Seen", "call_of", "is_backward", "is_plain"]

_NAMES: Mapping[str, str] = {"threshold_backward": "relu", "_prelu_kernel": "prelu", "hardtanh": "relu6"}
"""Operators whose name is not their op's; threshold_backward is the gradient of relu."""
_OTHERS = (
    *("threshold", "glu", "mish", "softplus", "log_sigmoid", "hardswish", "hardsigmoid", "rrelu_with_noise"),
    *("softshrink", "hardshrink"),
)
"""Activations in ATen that are no op of ours: they are told, not measured."""
_DEVICES = ("cpu", "cuda")


@dataclass(frozen=True, slots=True)
class Call(Kind):
    """One call of an activation; `why` it cannot be measured, or empty."""

    why: str = ""


class Seen(NamedTuple):
    """One call of an operator of ATen: ``aten::name.overload(*args, **options)``."""

    name: str
    overload: str
    args: tuple[Any, ...]
    options: Mapping[str, Any]


def is_backward(name: str) -> bool:
    """Whether an operator is part of a backward pass."""
    return name.endswith("_backward")


def call_of(seen: Seen, default_threads: int) -> Call | None:
    """What the call is; None if it is no activation, or of no plain tensor.

    `default_threads`: what torch has when nobody sets it.
    """
    name, overload, args, options = seen
    backward = is_backward(name)
    base = name.removesuffix("_backward").removesuffix("_")
    op = _NAMES.get(name) or _NAMES.get(base) or base
    tensors = [each for each in args if isinstance(each, Tensor)]
    if (op not in OPS and op not in _OTHERS) or len(tensors) <= backward:
        return None
    x = tensors[backward]  # of a gradient's call the first is dy
    if not is_plain(x) or not x.numel():
        return None
    numbers = [each for each in args[1:] if not isinstance(each, Tensor)]
    op = "gelu_tanh" if op == "gelu" and options.get("approximate") == "tanh" else op
    slope = float(numbers[0]) if op == "leaky_relu" and numbers else 0.01 if op == "leaky_relu" else 0.0
    threads = torch.get_num_threads()
    return Call(
        op,
        "backward" if backward else "forward",
        "out" if overload in ("out", "grad_input") else "inplace" if name.endswith("_") else "new",
        _dtype(x),
        tuple(x.shape),
        "contiguous" if _dense(x) else "strided",
        x.device.type,
        0 if threads == default_threads or x.device.type != "cpu" else threads,
        slope if math.isfinite(slope) else 0.0,
        _params(op, numbers),
        _why_not(op, x, numbers, tensors),
    )


def is_plain(x: Any) -> bool:
    """Whether it is a tensor with memory of its own: no stand-in of a tracer, and nobody's subclass."""
    return isinstance(x, Tensor) and type(x) in (Tensor, torch.nn.Parameter) and not x.is_meta


def _dtype(x: Tensor) -> str:
    return str(x.dtype).removeprefix("torch.")


def _why_not(op: str, x: Tensor, numbers: Sequence[Any], tensors: Sequence[Tensor]) -> str:
    reasons = (
        (op not in OPS, f"this suite measures {', '.join(OPS)}"),
        (_dtype(x) not in DTYPES, f"dtype {_dtype(x)}; this suite has {', '.join(DTYPES)}"),
        (x.device.type not in _DEVICES, f"device {x.device.type}; this suite has {', '.join(_DEVICES)}"),
        (op == "relu" and any(numbers), "a threshold other than 0"),
        (op == "relu6" and list(numbers[:2]) != [0, 6], "hardtanh with other bounds than relu6's"),
        (op == "elu" and any(number != 1 for number in numbers[1:3]), "a scale other than 1"),
        (
            op == "elu" and bool(numbers) and not _params(op, numbers),
            "an alpha that this suite does not measure",
        ),
        (op == "leaky_relu" and not all(map(math.isfinite, numbers[:1])), "a slope that is no finite number"),
        (op == "prelu" and tensors[-1].numel() > 1, "slopes by channel"),
    )
    return next((reason for holds, reason in reasons if holds), "")


def _params(op: str, numbers: Sequence[Any]) -> str:
    """The parameters of an op as its case has them; empty for the usual ones, and for what no case has."""
    if op != "elu" or not numbers:
        return ""
    try:
        return whole_params(op, text_of_params({"alpha": float(numbers[0])}))
    except ValueError:
        return ""


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
