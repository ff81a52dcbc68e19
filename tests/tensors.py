"""Tensors with everything in them, and our functions beside torch's; imported where torch is there."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import Tensor
from torch.nn import functional

from kernels.torch_module import leaky_relu, relu

__all__ = ["OURS_AND_THEIRS", "Function", "both_ways", "mixed", "on_a_copy", "same", "same_bits"]

Function = Callable[[Tensor], Tensor]


def _relu(x: Tensor) -> Tensor:  # of one argument, as tracers want it
    return relu(x)


def _leaky_relu(x: Tensor) -> Tensor:
    return leaky_relu(x, 0.3)


OURS_AND_THEIRS = pytest.mark.parametrize(
    ("ours", "theirs"),
    [(_relu, functional.relu), (_leaky_relu, lambda x: functional.leaky_relu(x, 0.3))],
    ids=["relu", "leaky_relu"],
)


def mixed(*shape: int, dtype: torch.dtype = torch.float32) -> Tensor:
    """Random numbers, with NaN, infinities, zeros and the smallest numbers among them."""
    x = torch.randn(shape).to(dtype)
    info = torch.finfo(dtype)
    special = torch.tensor([torch.nan, torch.inf, -torch.inf, 0.0, info.tiny, -info.tiny, info.max, info.min])
    where = torch.rand(shape) < 0.3
    x[where] = special.to(dtype)[torch.randint(len(special), (int(where.sum()),))]
    return x


def same(one: Tensor, other: Tensor) -> None:
    """Equal, with strides and dtype; zeros of either sign and NaNs of any payload are."""
    assert (one.dtype, one.shape, one.stride()) == (other.dtype, other.shape, other.stride())
    assert torch.equal(torch.nan_to_num(one, 12.5), torch.nan_to_num(other, 12.5))
    assert torch.equal(one.isnan(), other.isnan())
    assert torch.equal(one.isinf(), other.isinf())


def both_ways(f: Function, x: Tensor, dy: Tensor) -> tuple[Tensor, Tensor]:
    leaf = x.detach().clone().requires_grad_()
    y = f(leaf)
    y.backward(dy)
    assert leaf.grad is not None
    return y.detach(), leaf.grad


def on_a_copy(f: Function, x: Tensor) -> Tensor:
    """For what works in place, where the leaf of a graph may not be written."""
    return f(x * 1)


def same_bits(one: Tensor, other: Tensor) -> None:
    """Equal with the sign of zero."""
    assert torch.equal(one, other)
    assert torch.equal(one.signbit(), other.signbit())
