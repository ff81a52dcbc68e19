"""nn.ReLU and nn.LeakyReLU for training on a CPU: our kernels, and one bit an element kept for backward.

torch keeps a tensor for the gradient: relu its result, leaky_relu its input.  The next layer often keeps
relu's result as well (a Linear or a convolution does), and then it costs nothing; leaky_relu's input is kept by
nobody else.  Here both keep n / 8 bytes: 1/16 of a 16-bit tensor, 1/32 of float32.

    model = torch.nn.Sequential(torch.nn.Linear(10, 5), torch.nn.ReLU(), torch.nn.Linear(5, 3))
    replace_activations(model)

- Values and gradients are torch's, bit for bit, but for the sign of zero: relu(-0.0) is +0 in float16 and bfloat16.
- float16, bfloat16, float32, float64; any dense CPU tensor, channels_last too.  Under autocast the dtype is the
  input's, as with torch.  For anything else torch's own function runs, and a `FallbackWarning` gives
  the reason, once.
- Under torch.compile and torch.export torch's own function is traced: a compiler fuses it with its neighbours,
  which it cannot do to a call of ours.  It runs as well where modes, transforms or hooks of saved tensors watch.
- Second derivatives are torch's.
- Threads: as many as ``torch.get_num_threads()`` says, at most NUMBA_NUM_THREADS.
- Large results come from a pool (kernels/tuned/memory_pool.py: what it costs, how to switch it off).
"""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from kernels.tuned.gradient import activate
from kernels.tuned.tensor_scope import (
    FallbackWarning,
    dense,
    reason_against,
    reason_against_saving,
    say_once,
)
from kernels.tuned.tensors import fresh, plain

__all__ = [
    "SMALL",
    "FallbackWarning",
    "TunedLeakyReLU",
    "TunedReLU",
    "leaky_relu",
    "relu",
    "replace_activations",
    "restore_activations",
]

SMALL = 1 << 16
"""Elements below which torch's own runs where a gradient is wanted; assign another number to change it.

Autograd is C++ for torch's functions and Python for ours, which costs a small tensor more time than its kernel;
the bits would save a quarter of a MiB at most, in float32.
"""

_LARGEST = torch.finfo(torch.float32).max
"""Slopes beyond it, and those that are no finite number, are left to torch, which refuses some for some dtypes."""


def relu(x: Tensor, inplace: bool = False) -> Tensor:
    """max(x, 0), NaN passing through; as ``torch.nn.functional.relu``, whose errors are its own.

    `x`: of any shape.  Returns a tensor of its shape, dtype and memory format, or x itself, overwritten.
    """
    # TorchScript compiles this branch only.  It takes a text behind a `type: ignore` for a type.
    if torch.jit.is_scripting():  # type: ignore[attr-defined]
        return functional.relu(x, inplace=inplace)
    return _activate(x, "relu", 0.0, inplace)


def leaky_relu(x: Tensor, negative_slope: float = 0.01, inplace: bool = False) -> Tensor:
    """x where x > 0, else x * negative_slope; as ``torch.nn.functional.leaky_relu``, see `relu`.

    In place a negative slope has the right gradient, where torch raises, or is wrong where compiled.
    """
    if torch.jit.is_scripting():  # type: ignore[attr-defined]
        return functional.leaky_relu(x, negative_slope, inplace)
    slope = negative_slope if type(negative_slope) is float else _number(negative_slope)
    return _activate(x, "leaky_relu", slope, inplace)


class TunedReLU(nn.ReLU):
    """nn.ReLU with our kernels: ``TunedReLU(inplace=False)``.  No parameters, no state."""

    def forward(self, input: Tensor) -> Tensor:  # noqa: A002  # torch's name for it
        """`relu` of a tensor of any shape."""
        return relu(input, self.inplace)


class TunedLeakyReLU(nn.LeakyReLU):
    """nn.LeakyReLU with our kernels: ``TunedLeakyReLU(negative_slope=0.01, inplace=False)``."""

    def forward(self, input: Tensor) -> Tensor:  # noqa: A002  # torch's name for it
        """`leaky_relu` of a tensor of any shape."""
        return leaky_relu(input, self.negative_slope, self.inplace)


_OURS: Mapping[type[nn.Module], type[nn.Module]] = {nn.ReLU: TunedReLU, nn.LeakyReLU: TunedLeakyReLU}
_THEIRS: Mapping[type[nn.Module], type[nn.Module]] = {ours: theirs for theirs, ours in _OURS.items()}


def replace_activations(module: nn.Module) -> int:
    """Turn each nn.ReLU and nn.LeakyReLU in `module`, itself included, into ours; how many there were.

    The objects stay the same, with their hooks, their mode and whoever refers to them; their class
    changes, and `restore_activations` changes it back.  Classes derived from torch's two are left alone,
    and so are calls of functions: a UserWarning says so where there is nothing else.
    """
    replaced = _reclassify(module, _OURS)
    if not replaced and not any(isinstance(each, tuple(_OURS.values())) for each in module.modules()):
        warnings.warn(
            f"{type(module).__name__} has no nn.ReLU and no nn.LeakyReLU, so nothing was replaced; "
            f"calls such as functional.relu(x) cannot be: let it call {__name__}.relu(x)",
            stacklevel=2,
        )
    return replaced


def restore_activations(module: nn.Module) -> int:
    """The way back: each of ours in `module`, itself included, into torch's; how many there were.

    For what goes by a module's exact class, as torch.ao.quantization.fuse_modules does.
    """
    return _reclassify(module, _THEIRS)


def _reclassify(module: nn.Module, classes: Mapping[type[nn.Module], type[nn.Module]]) -> int:
    found = [each for each in module.modules() if type(each) in classes]
    for each in found:
        each.__class__ = classes[type(each)]
    return len(found)


def _number(slope: Any) -> Any:
    """What torch takes for a number, as a float; the rest as it is, for torch to refuse."""
    if isinstance(slope, np.number | np.bool_) or (
        isinstance(slope, Tensor) and not slope.dim() and not slope.requires_grad
    ):
        slope = slope.item()
    exact = isinstance(slope, float) or (isinstance(slope, int) and abs(slope) <= 1 << 53)
    return float(slope) if exact else slope


def _by_torch(x: Any, op: str, slope: Any, inplace: bool) -> Tensor:
    if op == "relu":
        return functional.relu(x, inplace=inplace)
    if inplace and isinstance(x, Tensor) and isinstance(slope, float) and slope < 0:
        # torch's own in-place gradient reads signs off the result, which a negative slope turned:
        # it raises, or is wrong where compiled.
        return x.copy_(functional.leaky_relu(x.clone(), slope))
    return functional.leaky_relu(x, slope, inplace=inplace)


def _activate(x: Any, op: str, slope: Any, inplace: bool) -> Tensor:
    if torch.compiler.is_compiling() or not isinstance(x, Tensor):
        return _by_torch(x, op, slope, inplace)
    if type(slope) is not float or not -_LARGEST <= slope <= _LARGEST:
        return _by_torch(x, op, slope, inplace)  # and torch says whether it is a slope
    reason = reason_against(x)  # first: some tensors would see all that they are asked
    if reason is None and not dense(x):
        reason = "the tensor has gaps or repeats in memory; .contiguous() mends it"
    saves = reason is None and x.requires_grad and torch.is_grad_enabled()
    if (saves and x.numel() < SMALL) or (reason is None and inplace and _forbidden(x)):
        return _by_torch(x, op, slope, inplace)
    reason = reason_against_saving() if saves else reason
    if reason is not None:
        say_once(reason)
        return _by_torch(x, op, slope, inplace)
    if not torch._C._autograd._profiler_enabled():
        return _by_us(x, op, slope, inplace, saves)
    with torch.profiler.record_function(f"{__name__}.{op}"):
        return _by_us(x, op, slope, inplace, saves)


def _by_us(x: Tensor, op: str, slope: float, inplace: bool, saves: bool) -> Tensor:
    if saves:
        return activate(x, op, slope, inplace)
    if inplace:
        torch.autograd.graph.increment_version(x)  # first: it raises where x may not be changed
    y = x if inplace else fresh(x)
    plain(x, y, op, slope)
    return y


def _forbidden(x: Tensor) -> bool:
    """Whether autograd forbids to change x in place: torch's own raises, and leaves x as it was."""
    if x.is_inference():
        return not torch.is_inference_mode_enabled()
    if not torch.is_grad_enabled():
        return False
    if x.is_leaf and x.requires_grad:
        return True
    if not x._is_view():
        return False
    base = x._base
    usual = torch._C._autograd._get_creation_meta(x) == torch._C._autograd.CreationMeta.DEFAULT
    return not usual or (base is not None and base.is_leaf and base.requires_grad)
