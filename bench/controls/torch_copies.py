"""Copies of a case's bytes on a card: by the driver, by torch's elementwise kernels, and by kernels of Triton."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import torch

from kernels.api import Case

__all__ = ["like", "ways"]

Tensor = torch.Tensor
Call = Callable[[], Tensor]
_CARRIER = {2: torch.int16, 4: torch.int32, 8: torch.int64}

like = torch.empty_like


def ways(case: Case, x: Tensor, dy: Tensor | None, out: Tensor | None) -> dict[str, Call]:
    """Calls that copy `x` (or ``x ^ dy``) as the case's placement says, and return the result, by a short name."""
    if case.placement == "new" and out is None:
        return {"torch": _allocating(x, dy)}
    if case.placement == "inplace":
        out = x if dy is None else dy
    assert out is not None, "placement out comes with an array"
    found: dict[str, Call] = {"torch": _into(out, _torch(case, x, dy, out))}
    if dy is None and case.placement != "inplace":
        found = {"driver": partial(out.copy_, x)} | found  # what copy_ comes to is cudaMemcpyAsync
    if case.layout == "contiguous" and (triton := _triton(case, x, dy, out)) is not None:
        found["triton"] = _into(out, triton)
    return found


def _allocating(x: Tensor, dy: Tensor | None) -> Call:
    if dy is None:
        return partial(torch.clone, x)
    xor, dtype = partial(torch.bitwise_xor, _bits(x), _bits(dy)), x.dtype
    return lambda: xor().view(dtype)


def _torch(case: Case, x: Tensor, dy: Tensor | None, out: Tensor) -> Callable[[], object]:
    if dy is not None:
        return partial(torch.bitwise_xor, _bits(x), _bits(dy), out=_bits(out))
    if case.placement == "inplace":
        return partial(_bits(x).bitwise_xor_, torch.iinfo(_CARRIER[x.itemsize]).min)
    return partial(torch.add, _bits(x), 0, out=_bits(out))


def _triton(case: Case, x: Tensor, dy: Tensor | None, out: Tensor) -> Callable[[], object] | None:
    try:
        from kernels.gpu.triton_kernels import flipped, launcher, xored  # noqa: PLC0415  # perhaps not there
    except ImportError:
        return None
    if dy is not None:
        return partial(launcher(xored, case.n), _bits(x), _bits(dy), _bits(out))
    mask = torch.iinfo(_CARRIER[x.itemsize]).min if case.placement == "inplace" else 0
    return partial(launcher(flipped, case.n, MASK=mask), _bits(x), _bits(out))


def _bits(tensor: Tensor) -> Tensor:
    return tensor.view(_CARRIER[tensor.itemsize])


def _into(target: Tensor, write: Callable[[], object]) -> Call:
    def call() -> Tensor:
        write()
        return target

    return call
