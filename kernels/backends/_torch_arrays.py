"""NumPy arrays as torch tensors and back, on the same memory; bfloat16, which is unknown to either side, too."""

from __future__ import annotations

from typing import Any

import ml_dtypes
import numpy as np
import torch

__all__ = ["from_host", "to_host"]

Array = np.ndarray[Any, Any]
Tensor = torch.Tensor


def from_host(host: Array, dtype: str) -> Tensor:
    """A tensor on `host`'s memory, of the same shape and strides; `dtype` is a case's."""
    if dtype == "bfloat16":  # NumPy's bfloat16 is unknown to torch
        return _tensor(host.view(np.int16)).view(torch.bfloat16)
    return _tensor(host)


def to_host(tensor: Tensor) -> Array:
    """An array on the tensor's memory, or a copy of what is on a card."""
    if tensor.is_cuda:
        tensor = tensor.cpu()
    if tensor.dtype == torch.bfloat16:
        return tensor.view(torch.int16).numpy().view(ml_dtypes.bfloat16)
    return tensor.numpy()


def _tensor(host: Array) -> Tensor:
    # from_numpy warns of arrays that are read-only; nothing here writes to an input that is
    return torch.from_numpy(host) if host.flags.writeable else torch.utils.dlpack.from_dlpack(host)
