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
  which it cannot do to a call of ours.
- Second derivatives are right: the gradient is linear in dy, and its derivative by x is 0.
- Threads: as many as ``torch.get_num_threads()`` says, at most NUMBA_NUM_THREADS.
- Large results come from a pool (kernels/tuned/memory_pool.py: what it costs, how to switch it off).
"""

from __future__ import annotations

import warnings
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from kernels.tuned.mask import mask_bytes
from kernels.tuned.tensor_scope import FallbackWarning, dense, reason_against, say_once
from kernels.tuned.tensors import fresh, plain, restore, save

__all__ = [
    "SMALL",
    "FallbackWarning",
    "TunedLeakyReLU",
    "TunedReLU",
    "leaky_relu",
    "relu",
    "replace_activations",
]

SMALL = 1 << 16
"""Elements below which torch's own runs where a gradient is wanted; assign another number to change it.

Autograd is C++ for torch's functions and Python for ours, which costs a small tensor more time than its kernel;
the bits would save a quarter of a MiB at most, in float32.
"""


def relu(x: Tensor, inplace: bool = False) -> Tensor:
    """max(x, 0), NaN passing through; as ``torch.nn.functional.relu``, whose errors are its own.

    `x`: of any shape.  Returns a tensor of its shape, dtype and memory format, or x itself, overwritten.
    """
    return _activate(x, "relu", 0.0, inplace)


def leaky_relu(x: Tensor, negative_slope: float = 0.01, inplace: bool = False) -> Tensor:
    """x where x > 0, else x * negative_slope; as ``torch.nn.functional.leaky_relu``, see `relu`.

    In place a negative slope has the right gradient, where torch raises, or is wrong where compiled.
    """
    return _activate(x, "leaky_relu", float(negative_slope), inplace)


class TunedReLU(nn.ReLU):
    """nn.ReLU with our kernels: ``TunedReLU(inplace=False)``.  No parameters, no state."""

    def forward(self, input: Tensor) -> Tensor:  # noqa: A002  # torch's name for it
        """`relu` of a tensor of any shape."""
        if torch.jit.is_scripting():  # type: ignore[attr-defined]  # TorchScript compiles this branch only
            return functional.relu(input, inplace=self.inplace)
        return relu(input, self.inplace)


class TunedLeakyReLU(nn.LeakyReLU):
    """nn.LeakyReLU with our kernels: ``TunedLeakyReLU(negative_slope=0.01, inplace=False)``."""

    def forward(self, input: Tensor) -> Tensor:  # noqa: A002  # torch's name for it
        """`leaky_relu` of a tensor of any shape."""
        if torch.jit.is_scripting():  # type: ignore[attr-defined]  # as above
            return functional.leaky_relu(input, self.negative_slope, self.inplace)
        return leaky_relu(input, self.negative_slope, self.inplace)


def replace_activations(module: nn.Module) -> int:
    """Turn each nn.ReLU and nn.LeakyReLU in `module`, itself included, into ours; how many there were.

    The objects stay the same, with their hooks, their mode and whoever refers to them; their class
    changes.  Classes derived from torch's two are left alone, and so are calls of functions: a UserWarning
    says so where there is nothing else.
    """
    ours: dict[type[nn.Module], type[nn.Module]] = {nn.ReLU: TunedReLU, nn.LeakyReLU: TunedLeakyReLU}
    found = [each for each in module.modules() if type(each) in ours]
    if not found and not any(isinstance(each, tuple(ours.values())) for each in module.modules()):
        warnings.warn(
            f"{type(module).__name__} has no nn.ReLU and no nn.LeakyReLU, so nothing was replaced; "
            f"calls such as functional.relu(x) cannot be: let it call {__name__}.relu(x)",
            stacklevel=2,
        )
    for each in found:
        each.__class__ = ours[type(each)]
    return len(found)


def _by_torch(x: Tensor, op: str, slope: float, inplace: bool) -> Tensor:
    if op == "relu":
        return functional.relu(x, inplace=inplace)
    if inplace and slope < 0:
        # torch's own in-place gradient reads signs off the result, which a negative slope turned:
        # it raises, or is wrong where compiled.
        return x.copy_(functional.leaky_relu(x.clone(), slope))
    return functional.leaky_relu(x, slope, inplace=inplace)


def _activate(x: Tensor, op: str, slope: float, inplace: bool) -> Tensor:
    if torch.compiler.is_compiling():
        return _by_torch(x, op, slope, inplace)
    reason = reason_against(x)
    if reason is None and not dense(x):
        reason = "the tensor has gaps or repeats in memory; .contiguous() mends it"
    if reason is not None:
        say_once(reason)
        return _by_torch(x, op, slope, inplace)
    saves = x.requires_grad and torch.is_grad_enabled()
    if (saves and x.numel() < SMALL) or (inplace and _forbidden(x)):
        return _by_torch(x, op, slope, inplace)
    if saves:
        result: Tensor = _Activation.apply(x, op, slope, inplace)  # type: ignore[no-untyped-call]  # torch's own
        return result
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


class _Activation(torch.autograd.Function):
    """Forward, keeping the bits."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, op: str, slope: float, inplace: bool) -> Tensor:
        """See `relu`."""
        y = x if inplace else fresh(x)
        ctx.save_for_backward(save(x, y, op, slope))
        ctx.form = (op, slope, x.stride())
        if inplace:
            ctx.mark_dirty(x)
        return y

    @staticmethod
    def backward(ctx: Any, dy: Tensor) -> tuple[Tensor, None, None, None]:
        """The gradient by x."""
        (bits,) = ctx.saved_tensors
        return _gradient(dy, bits, ctx.form), None, None, None


class _Gradient(torch.autograd.Function):
    """Backward as a function of dy, in which it is linear; so its own backward is the same function."""

    @staticmethod
    def forward(ctx: Any, dy: Tensor, bits: Tensor, form: _Form) -> Tensor:
        """dy where the bit is set, else 0 or dy * slope."""
        ctx.save_for_backward(bits)
        ctx.form = form
        return _restored(dy, bits, form)

    @staticmethod
    def backward(ctx: Any, ddx: Tensor) -> tuple[Tensor, None, None]:
        """The gradient by dy."""
        (bits,) = ctx.saved_tensors
        return _gradient(ddx, bits, ctx.form), None, None


_Form = tuple[str, float, tuple[int, ...]]
"""The op, its slope, and the strides of the tensor to which the bits belong."""


def _gradient(dy: Tensor, bits: Tensor, form: _Form) -> Tensor:
    reason = reason_against(dy)
    if reason is not None:
        say_once(reason)
        return _gradient_by_torch(dy, bits, form)
    if torch.is_grad_enabled() and dy.requires_grad:
        result: Tensor = _Gradient.apply(dy, bits, form)  # type: ignore[no-untyped-call]  # torch's own
        return result
    return _restored(dy, bits, form)


def _restored(dy: Tensor, bits: Tensor, form: _Form) -> Tensor:
    op, slope, strides = form
    if bits.dtype != torch.uint8 or not bits.is_cpu or bits.shape != (mask_bytes(dy.numel()),):
        raise RuntimeError(
            f"the bits saved for backward came back as {bits.dtype}{tuple(bits.shape)} on {bits.device}; "
            "saved-tensor hooks have to return uint8 tensors as they were"
        )
    if dy.stride() == strides:
        dx = fresh(dy)
    else:  # the bits are in the order of the input's memory
        dx = dy = torch.empty_strided(dy.shape, strides, dtype=dy.dtype, device="cpu").copy_(dy)
    restore(dy, bits.contiguous(), dx, op, slope)
    return dx


def _gradient_by_torch(dy: Tensor, bits: Tensor, form: _Form) -> Tensor:
    """As `_restored`, in torch's own functions, for a dy that is batched, traced or the like."""
    op, slope, strides = form
    shifts = torch.arange(8, dtype=torch.uint8, device=bits.device)
    flat = torch.bitwise_and(torch.bitwise_right_shift(bits.unsqueeze(1), shifts), 1).bool().flatten()
    mask = torch.as_strided(flat, dy.shape, strides)
    return torch.where(mask, dy, torch.zeros_like(dy) if op == "relu" else dy * slope)
