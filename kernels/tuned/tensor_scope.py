"""Which tensors the tuned kernels may touch: those whose elements simply lie in this process's memory.

A kernel gets addresses.  A tensor may mean something else than its bytes (a transform, a mode, a tangent, a lazy
sign, a subclass); that has to be seen here, and torch's own functions then do the work.

Whatever watches torch has to see torch's own functions as well.  Most ways to watch (torch.func, dispatch modes, those
before dispatch, torch.jit.trace, functionalization) put a key into what torch's dispatcher includes for this
thread.  Modes of functions, forward-mode differentiation and hooks of saved tensors do not.
"""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from typing import Any

import torch
from torch.autograd import forward_ad
from torch.utils._device import DeviceContext

__all__ = [
    "TORCH_DTYPES",
    "FallbackWarning",
    "dense",
    "reason_against",
    "reason_against_saving",
    "say_once",
]

TORCH_DTYPES: Mapping[torch.dtype, str] = {
    torch.float16: "float16",
    torch.bfloat16: "bfloat16",
    torch.float32: "float32",
    torch.float64: "float64",
}
"""What the kernels compute on, by their names for it."""

_TYPES = (torch.Tensor, torch.nn.Parameter)


class FallbackWarning(UserWarning):
    """The tuned kernels do not apply, so torch's own ran.  Given once for each reason."""


def _keys(tensor: torch.Tensor) -> int:
    """What torch's dispatcher goes by: device, layout, lazy sign, transforms, as bits."""
    bits: int = torch._C._dispatch_keys(tensor).raw_repr()
    return bits


def _plain_keys() -> frozenset[int]:
    plain = torch.empty(0, device="cpu")
    with torch.inference_mode():
        return frozenset((_keys(plain), _keys(torch.empty(0, device="cpu"))))


_PLAIN = _plain_keys()


def _included() -> Any:
    """What torch's dispatcher includes for all that this thread does."""
    return torch._C._dispatch_tls_local_include_set()


def _usual() -> tuple[Any, Any]:
    with torch.inference_mode():
        in_inference = _included()
    return _included(), in_inference


_USUAL = _usual()


def reason_against(tensor: torch.Tensor) -> str | None:
    """None where the elements of `tensor` may be read at its address and nothing watches; else why not."""
    if type(tensor) not in _TYPES:
        return f"{type(tensor).__name__} is not a plain torch.Tensor"
    watching = _watching()
    if watching is not None:
        return f"{watching} is active"
    if _keys(tensor) not in _PLAIN:
        return _unusual(tensor)
    if tensor.dtype not in TORCH_DTYPES:
        return f"{tensor.dtype} is not one of {', '.join(TORCH_DTYPES.values())}"
    return None


def reason_against_saving() -> str | None:
    """None where autograd may keep bits in place of torch's tensor; else why not.

    Hooks may expect torch's tensor (a checkpoint compares what is saved twice) or change what they are given.
    """
    if torch._C._autograd._top_saved_tensors_default_hooks(False) is None:
        return None
    return "a hook of saved tensors, as of a checkpoint, is active"


def _watching() -> str | None:
    """What follows each operation of torch, and so has to see torch's own."""
    if forward_ad._current_level >= 0:
        return "forward-mode differentiation"
    if torch._C._len_torch_function_stack() > 0:
        # torch.device as a context is such a mode, and of no interest to functions that make no tensor out of nothing.
        modes = map(torch._C._get_function_stack_at, range(torch._C._len_torch_function_stack()))
        if not all(isinstance(mode, DeviceContext) for mode in modes):
            return "a TorchFunctionMode"
    return None if _included() in _USUAL else _mode()


def _mode() -> str:
    """What made torch's dispatcher include more than usual."""
    if torch._C._are_functorch_transforms_active():
        return "a torch.func transform (vmap, grad, jvp, ...)"
    if torch._C._len_torch_dispatch_stack() > 0:
        return "a TorchDispatchMode"
    if torch._C._get_tracing_state() is not None:
        return "torch.jit.trace"
    return "a mode of torch's dispatcher, as make_fx(pre_dispatch=True) has,"


def dense(tensor: torch.Tensor) -> bool:
    """Whether its elements fill one piece of memory, in whatever order of the dimensions."""
    return tensor.is_contiguous() or torch.ops.aten.is_non_overlapping_and_dense(tensor)


def _unusual(tensor: torch.Tensor) -> str:
    if tensor.device.type != "cpu":
        return f"the tensor is on {tensor.device.type}, not on the CPU"
    if tensor.layout != torch.strided:
        return f"its layout is {tensor.layout}, not torch.strided"
    if tensor.is_quantized or tensor.is_complex():
        return f"{tensor.dtype} is not one of {', '.join(TORCH_DTYPES.values())}"
    if tensor.is_neg():
        return "its sign is lazy (a view of a conjugate)"
    return "torch gives this tensor another meaning than its bytes"


_said: dict[str, object] = {}


def say_once(reason: str) -> None:
    """Warn that torch's own function runs, if this reason has not been given yet."""
    this_call = object()
    if _said.setdefault(reason, this_call) is this_call:  # one step: no lock, which a fork could leave locked
        warnings.warn(f"torch's own activation is used, not the tuned one: {reason}", FallbackWarning, 4)
