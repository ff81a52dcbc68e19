"""The tuned kernels under autograd: forward keeps one bit an element, and backward reads it.

The gradient is linear in dy, and its own derivative by x is 0.  torch gives that 0 as a tensor, so the gradient has to
be a function of x in the graph: it is one of `_Form.origin`, which has no elements, and whose gradient is x's.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import torch
from torch import Tensor

from kernels.tuned.mask import mask_bytes
from kernels.tuned.tensor_scope import reason_against, say_once
from kernels.tuned.tensors import fresh, restore, save

__all__ = ["activate"]


def activate(x: Tensor, op: str, slope: float, inplace: bool) -> Tensor:
    """op(x) with its gradient, for an x that is plain and dense and wants one."""
    origin = torch.as_strided_copy(x, (0,), (1,))  # no view: x's memory may go
    form = _Form(op, slope, x.stride(), x.is_contiguous(), origin)
    result: Tensor = _Activation.apply(x, form, inplace)  # type: ignore[no-untyped-call]  # torch's own
    return result


class _Form(NamedTuple):
    """What the gradient has to know."""

    op: str
    slope: float
    strides: tuple[int, ...]
    """Of the tensor to which the bits belong."""
    contiguous: bool
    """Whether it was; its strides may be any where a dimension has one element, or another none."""
    origin: Tensor
    """No elements, made of x."""


class _Activation(torch.autograd.Function):
    """Forward, keeping the bits."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, form: _Form, inplace: bool) -> Tensor:
        """op(x)."""
        y = x if inplace else fresh(x)
        ctx.save_for_backward(save(x, y, form.op, form.slope))
        ctx.form = form
        if inplace:
            ctx.mark_dirty(x)
        return y

    @staticmethod
    def backward(ctx: Any, dy: Tensor) -> tuple[Tensor, None, None]:
        """The gradient by x."""
        (bits,) = ctx.saved_tensors
        return _gradient(dy, bits, ctx.form), None, None


class _Gradient(torch.autograd.Function):
    """Backward as a function of dy, whose own backward is the same function, and of x, whose gradient is 0."""

    @staticmethod
    def forward(ctx: Any, dy: Tensor, origin: Tensor, bits: Tensor, form: _Form) -> Tensor:
        """dy where the bit is set, else 0 or dy * slope."""
        ctx.save_for_backward(bits)
        ctx.form = form
        return _restored(dy, bits, form)

    @staticmethod
    def backward(ctx: Any, ddx: Tensor) -> tuple[Tensor | None, Tensor, None, None]:
        """The gradients by dy and by `origin`."""
        (bits,) = ctx.saved_tensors
        by_dy = _gradient(ddx, bits, ctx.form) if ctx.needs_input_grad[0] else None
        return by_dy, ctx.form.origin.detach(), None, None


def _gradient(dy: Tensor, bits: Tensor, form: _Form) -> Tensor:
    reason = reason_against(dy)
    if reason is not None:
        say_once(reason)
        return _gradient_by_torch(dy, bits, form)
    if torch.is_grad_enabled():
        result: Tensor = _Gradient.apply(dy, form.origin, bits, form)  # type: ignore[no-untyped-call]  # torch's own
        return result
    return _restored(dy, bits, form)


def _restored(dy: Tensor, bits: Tensor, form: _Form) -> Tensor:
    if bits.dtype != torch.uint8 or not bits.is_cpu or bits.shape != (mask_bytes(dy.numel()),):
        raise RuntimeError(  # who registered them on the node itself was not seen when the bits were saved
            f"the bits saved for backward came back as {bits.dtype}{tuple(bits.shape)} on {bits.device}; "
            "saved-tensor hooks have to return uint8 tensors as they were"
        )
    if dy.is_contiguous() if form.contiguous else dy.stride() == form.strides:
        dx = fresh(dy)
    elif form.contiguous:  # the bits are in the order of the input's memory
        dx = dy = dy.contiguous()
    else:
        dx = dy = torch.empty_strided(dy.shape, form.strides, dtype=dy.dtype, device="cpu").copy_(dy)
    restore(dy, bits.contiguous(), dx, form.op, form.slope)
    return dx


def _gradient_by_torch(dy: Tensor, bits: Tensor, form: _Form) -> Tensor:
    """As `_restored`, in torch's own functions, for a dy that is batched, traced or the like."""
    shifts = torch.arange(8, dtype=torch.uint8, device=bits.device)
    flat = torch.bitwise_and(torch.bitwise_right_shift(bits.unsqueeze(1), shifts), 1).bool().flatten()
    mask = torch.as_strided(flat, dy.shape, form.strides)
    below = torch.zeros_like(dy) if form.op == "relu" else dy * form.slope
    if torch.is_grad_enabled():  # nowhere, but it makes the gradient a function of x
        nowhere = torch.zeros((), dtype=torch.bool, device=bits.device)
        below = torch.where(nowhere, form.origin.sum().to(dy.dtype), below)
    return torch.where(mask, dy, below)
