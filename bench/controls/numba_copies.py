"""Copies of a case's bytes on a card, by numba.cuda: for where torch sees no card."""

from __future__ import annotations

from collections.abc import Callable

from kernels.api import Case
from kernels.gpu.cuda_launch import launcher
from kernels.gpu.cuda_words import cuda
from kernels.gpu.numba_card import CardArray

__all__ = ["copying", "like"]


def like(x: CardArray) -> CardArray:
    """An uninitialised array like `x`."""
    return CardArray(cuda.device_array(x.bits.shape, x.bits.dtype), x.dtype)


def copying(case: Case, x: CardArray, dy: CardArray | None, out: CardArray | None) -> Callable[[], CardArray]:
    """The call that copies `x` (or ``x ^ dy``) as the case's placement says, and returns the result."""
    work = "xor" if dy is not None else "flip" if case.placement == "inplace" else "copy"
    return launcher(work, case, x, dy, out)
