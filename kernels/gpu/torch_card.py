"""PyTorch tensors on a CUDA card: copied there and back, waited for, and timed by events."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import torch

from kernels.api import parse_device
from kernels.gpu.card import Array, Index, why_not_there
from kernels.gpu.driver import driver_of
from kernels.numbers.floats import np_dtype

__all__ = ["TorchCard", "indexed", "select", "to_card", "versions", "wait", "why_no_card"]

Tensor = torch.Tensor
_HOLD_CYCLES = 200_000
_L2_BYTES = 64 << 20
"""Assumed where torch does not tell: more than any card has had until 2025 but the largest."""


def why_no_card(name: str, device: str) -> str | None:
    """None if torch sees the card `device`, else a reason that names those it sees."""
    if torch.version.cuda is None and torch.version.hip is None:
        none = f"torch {torch.__version__} is built without CUDA; pip install torch, from an index with CUDA builds"
        return why_not_there(name, device, 0, none)
    none = f"torch {torch.__version__} finds none; look at nvidia-smi and CUDA_VISIBLE_DEVICES"
    return why_not_there(name, device, torch.cuda.device_count(), none)


def indexed(device: str) -> torch.device:
    """torch's own name of a device, with the number that some of its functions insist on: ``cuda`` is ``cuda:0``."""
    kind, number = parse_device(device)
    return torch.device(kind, number)


def select(device: str) -> None:
    """Make `device` the one that this thread's launches go to."""
    torch.cuda.set_device(indexed(device))


def to_card(host: Tensor, device: str) -> Tensor:
    """A copy of `host` on the card, with its strides (``host.to`` would close the gaps)."""
    handle = torch.empty_strided(host.size(), host.stride(), dtype=host.dtype, device=indexed(device))
    return handle.copy_(host)


def wait(result: Tensor) -> None:
    """Return when all that was launched on the tensor's card is done."""
    torch.cuda.synchronize(result.device)


def versions() -> dict[str, str]:
    """The CUDA, or the ROCm, that torch was built for; empty for a build without."""
    built = {"torch_cuda": torch.version.cuda, "torch_hip": torch.version.hip}
    return {name: version for name, version in built.items() if version is not None}


class TorchCard:
    """`kernels.gpu.card.Card`, by torch.  On the CPU its copies work as well."""

    def __init__(self, device: str) -> None:
        self._device = indexed(device)
        self._flush = torch.empty(0, dtype=torch.uint8, device=self._device)

    def update(self, handle: Tensor, host: Array) -> bool:
        """One copy over the bus, into the tensor that is there."""
        _bits(handle).copy_(_carried(host))
        return True

    def copy(self, handle: Tensor, pristine: Tensor) -> bool:
        """One copy within the card's memory."""
        handle.copy_(pristine)
        return True

    def put(self, handle: Tensor, index: Index, values: Array) -> bool:
        """One small copy over the bus for each array, and a kernel that scatters."""
        _bits(handle)[self._places(index)] = _carried(np.ascontiguousarray(values)).to(self._device)
        return True

    def take(self, handle: Tensor, index: Index) -> Array:
        """A kernel that gathers, and a small copy over the bus."""
        taken: Array = _bits(handle)[self._places(index)].cpu().numpy()
        return taken.view(np_dtype("bfloat16")) if handle.dtype == torch.bfloat16 else taken

    def _places(self, index: Index) -> tuple[Tensor, ...]:
        return tuple(torch.from_numpy(np.ascontiguousarray(axis)).to(self._device) for axis in index)

    def waiter(self) -> Callable[[object], None] | None:
        """The driver's own, where it is NVIDIA's."""
        driver = driver_of(str(self._device))
        return None if driver is None else driver.waiter()

    def hold(self, times: int = 1) -> None:
        """Let the card spin; its caches stay as they are."""
        with torch.cuda.device(self._device):
            torch.cuda._sleep(_HOLD_CYCLES * times)  # type: ignore[no-untyped-call]  # torch's own

    def mark(self) -> Any:
        """A recorded event on the current stream."""
        event = torch.cuda.Event(enable_timing=True)  # type: ignore[no-untyped-call]  # as above
        event.record(torch.cuda.current_stream(self._device))
        return event

    def passed(self, mark: Any) -> bool:
        """By cudaEventQuery."""
        return bool(mark.query())

    def seconds(self, start: Any, end: Any) -> float:
        """By cudaEventElapsedTime, whose resolution is about half a microsecond."""
        end.synchronize()
        return float(start.elapsed_time(end)) / 1e3

    def profile(self, run: Callable[[], object], calls: int) -> None:
        """Never asked for: there are events."""

    def flush(self, nbytes: int) -> None:
        """Add to a buffer of that size."""
        if self._flush.numel() != nbytes:
            self._flush = torch.zeros(nbytes, dtype=torch.uint8, device=self._device)
        self._flush.add_(1)
        torch.cuda.synchronize(self._device)

    def cache_bytes(self) -> int:
        """The card's L2."""
        return int(getattr(torch.cuda.get_device_properties(self._device), "L2_cache_size", 0)) or _L2_BYTES

    def trim(self) -> None:
        """Empty the cache of torch's allocator."""
        self._flush = torch.empty(0, dtype=torch.uint8, device=self._device)
        torch.cuda.empty_cache()

    def free_bytes(self) -> int:
        """What the driver has free, and what torch's allocator keeps for reuse."""
        kept = torch.cuda.memory_reserved(self._device) - torch.cuda.memory_allocated(self._device)
        return int(torch.cuda.mem_get_info(self._device)[0]) + kept

    def peak_bytes(self, *, reset: bool = False) -> int:
        """What torch's allocator had handed out at most."""
        if reset:
            torch.cuda.reset_peak_memory_stats(self._device)
        return int(torch.cuda.max_memory_allocated(self._device))


def _bits(handle: Tensor) -> Tensor:
    """The tensor as NumPy can hold it: of bfloat16 the bits."""
    return handle.view(torch.int16) if handle.dtype == torch.bfloat16 else handle


def _carried(host: Array) -> Tensor:
    """A tensor on the array's memory; of bfloat16 the bits."""
    return torch.from_numpy(host.view("i2") if host.dtype.name == "bfloat16" else host)
