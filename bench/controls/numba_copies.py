"""Copies of a case's bytes on a card, by numba.cuda: for where torch sees no card."""

from __future__ import annotations

from collections.abc import Callable

from kernels.api import Case
from kernels.gpu.cuda_launch import launcher
from kernels.gpu.cuda_words import cuda
from kernels.gpu.numba_card import CardArray

__all__ = ["like", "ways"]


def like(x: CardArray) -> CardArray:
    """An uninitialised array like `x`."""
    return CardArray(cuda.device_array(x.bits.shape, x.bits.dtype), x.dtype)


def ways(
    case: Case, x: CardArray, dy: CardArray | None, out: CardArray | None
) -> dict[str, Callable[[], CardArray]]:
    """Calls that copy `x` (or ``x ^ dy``) as the case's placement says, and return the result, by a short name.

    A kernel, and where it is a plain copy into an array that is there, the driver's.
    """
    work = "xor" if dy is not None else "flip" if case.placement == "inplace" else "copy"
    found = {"kernel": launcher(work, case, x, dy, out)}
    if work == "copy" and out is not None:
        given = out

        def driver() -> CardArray:
            given.bits.copy_to_device(x.bits)
            return given

        found["driver"] = driver
    return found
