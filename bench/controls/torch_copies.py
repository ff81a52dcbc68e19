"""Copies of a case's bytes on a card, by torch.

A plain copy is cudaMemcpyAsync, which torch's ``copy_`` comes to; with two inputs, or in place, it is one
elementwise kernel on the bits.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import torch

from kernels.api import Case

__all__ = ["copying", "like"]

Tensor = torch.Tensor
_CARRIER = {2: torch.int16, 4: torch.int32, 8: torch.int64}

like = torch.empty_like


def copying(case: Case, x: Tensor, dy: Tensor | None, out: Tensor | None) -> Callable[[], Tensor]:
    """The call that copies `x` (or ``x ^ dy``) as the case's placement says, and returns the result."""
    if dy is None and case.placement == "inplace":
        return _into(x, partial(_bits(x).bitwise_xor_, torch.iinfo(_CARRIER[x.itemsize]).min))
    if dy is None:
        return partial(torch.clone, x) if out is None else partial(out.copy_, x)
    target = dy if case.placement == "inplace" else out
    xor = partial(torch.bitwise_xor, _bits(x), _bits(dy))
    if target is None:
        dtype = x.dtype
        return lambda: xor().view(dtype)
    return _into(target, partial(xor, out=_bits(target)))


def _bits(tensor: Tensor) -> Tensor:
    return tensor.view(_CARRIER[tensor.itemsize])


def _into(target: Tensor, write: Callable[[], object]) -> Callable[[], Tensor]:
    def call() -> Tensor:
        write()
        return target

    return call
