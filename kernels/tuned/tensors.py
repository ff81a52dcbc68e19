"""The tuned loops on torch tensors: their memory, and calls by address with little on the way.

`kernels.tuned.bind` and `kernels.tuned.choice` decide how a loop is run.  The choice is cached, so a call needs only a
lookup.  Tensors are plain and dense (`kernels.tuned.tensor_scope`) and walked in storage order.
"""

from __future__ import annotations

import functools
from typing import Any

import numpy as np
import torch

from kernels.numba_cpu import threads
from kernels.numba_cpu.entry import Entry
from kernels.tuned import memory_pool
from kernels.tuned.bind import Walk, bind_addresses
from kernels.tuned.choice import choose, thresholds
from kernels.tuned.loops import Loop
from kernels.tuned.mask import mask_bytes
from kernels.tuned.simd import LINE
from kernels.tuned.tensor_scope import TORCH_DTYPES

__all__ = ["fresh", "plain", "restore", "save"]

_POOLED_FROM = thresholds().pool_from
_BYTE = np.dtype(np.uint8)
_BYTES = torch.empty(0, dtype=torch.uint8, device="cpu")


def fresh(like: torch.Tensor) -> torch.Tensor:
    """An uninitialised tensor of the dtype, shape and memory order of `like`, which is dense.

    Large ones come from `kernels.tuned.memory_pool` (and cannot be grown by ``resize_``).
    """
    size, order = like.numel() * like.itemsize, _order(like)
    if size < _POOLED_FROM or size > memory_pool.shared().limit:
        return torch.empty_like(like, memory_format=order)
    strides = torch.empty_like(like, memory_format=order, device="meta").stride()
    storage = torch.from_numpy(memory_pool.shared().empty((size,), _BYTE)).untyped_storage()
    # set_ and not view: a view could not be changed in place once autograd knows of it.
    return torch.empty(0, dtype=like.dtype, device="cpu").set_(storage, 0, like.shape, strides)


def _order(like: torch.Tensor) -> torch.memory_format:
    """What torch keeps of the strides of one input: not those of dimensions of one element, which may be any."""
    if like.is_contiguous():
        return torch.contiguous_format
    lasts = like.dim() == 4 and like.is_contiguous(memory_format=torch.channels_last)
    return torch.channels_last if lasts else torch.preserve_format


def plain(x: torch.Tensor, target: torch.Tensor, op: str, slope: float) -> None:
    """``target = op(x)``; `target` may be x."""
    _run((op, "line"), target, x, None, slope)


def save(x: torch.Tensor, target: torch.Tensor, op: str, slope: float) -> torch.Tensor:
    """``target = op(x)``; returns the bits that `restore` needs, `mask_bytes` of them."""
    bits = _BYTES.new_empty((mask_bytes(x.numel()),))
    _run((op, "save"), target, x, bits, slope)
    return bits


def restore(dy: torch.Tensor, bits: torch.Tensor, target: torch.Tensor, op: str, slope: float) -> None:
    """``target`` = dy where the bit is set, else 0 or dy * slope; `target` may be dy."""
    _run((f"{op}_backward", "restore"), target, dy, bits, slope)


_Kind = tuple[str, str]
"""An element and a shape of `Loop`."""


def _run(
    kind: _Kind, target: torch.Tensor, source: torch.Tensor, bits: torch.Tensor | None, slope: float
) -> None:
    n = target.numel()
    if not n:
        return
    to, a = target.data_ptr(), source.data_ptr()
    # In place a line has been read before it is written: there is nothing to save.
    lined = to != a and to % LINE == 0
    entry, share = _call((*kind, TORCH_DTYPES[target.dtype]), n, torch.get_num_threads(), lined)
    entry(to, a, a if bits is None else bits.data_ptr(), n, slope, *share)


@functools.lru_cache(maxsize=4096)
def _call(kind: tuple[str, str, str], n: int, wanted: int, lined: bool) -> tuple[Entry, tuple[Any, ...]]:
    """How the loop is run by `wanted` threads: what to call, and what follows its three addresses, n and slope.

    The loop rounds the slope to the 32 bits in which the 16-bit types are multiplied, not to theirs, as torch does.
    """
    element, shape, dtype = kind
    itemsize = Loop(element, dtype).itemsize
    op = element.removesuffix("_backward")
    mode, streaming = choose(op, dtype, Walk("line", n), itemsize, min(wanted, threads.most()))
    loop = Loop(element, dtype, shape, streaming and lined)
    bound = bind_addresses(loop, Walk(shape, n), (0, 0), 0.0, mode)
    return bound.entry, bound.rest[4:]
