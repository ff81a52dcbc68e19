"""Which tensors the tuned kernels may touch: those whose elements simply lie in this process's memory.

A kernel gets addresses.  A tensor may mean something else than its bytes (a transform, a mode, a tangent, a lazy
sign, a subclass); that has to be seen here, and torch's own functions then do the work.
"""

from __future__ import annotations

import threading
import warnings
from collections.abc import Mapping

import torch
from torch.autograd import forward_ad

__all__ = ["TORCH_DTYPES", "FallbackWarning", "dense", "reason_against", "say_once"]

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


def _watching() -> str | None:
    """What follows each operation of torch, and so has to see torch's own."""
    if torch._C._are_functorch_transforms_active():
        return "a torch.func transform (vmap, grad, jvp, ...)"
    if forward_ad._current_level >= 0:
        return "forward-mode differentiation"
    if torch._C._len_torch_dispatch_stack() > 0:
        return "a TorchDispatchMode"
    return "torch.jit.trace" if torch._C._get_tracing_state() is not None else None


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


_said: set[str] = set()
_saying = threading.Lock()


def say_once(reason: str) -> None:
    """Warn that torch's own function runs, if this reason has not been given yet."""
    with _saying:
        if reason in _said:
            return
        _said.add(reason)
    warnings.warn(f"torch's own activation is used, not the tuned one: {reason}", FallbackWarning, 4)
