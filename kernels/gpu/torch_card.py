"""PyTorch tensors on a CUDA card: copied there and back, waited for, and timed by events."""

from __future__ import annotations

from typing import Any

import torch

from kernels.gpu.card import Array, why_not_there

__all__ = ["TorchCard", "to_card", "versions", "wait", "why_no_card"]

Tensor = torch.Tensor
_HOLD_CYCLES = 200_000
_L2_BYTES = 64 << 20
"""Assumed where torch does not tell: more than any card has had until 2025 but the largest."""


def why_no_card(name: str, device: str) -> str | None:
    """None if torch sees the card `device`, else a reason that names those it sees."""
    if torch.version.cuda is None:
        none = f"torch {torch.__version__} is built without CUDA; pip install torch, from an index with CUDA builds"
        return why_not_there(name, device, 0, none)
    none = f"torch {torch.__version__} finds none; look at nvidia-smi and CUDA_VISIBLE_DEVICES"
    return why_not_there(name, device, torch.cuda.device_count(), none)


def to_card(host: Tensor, device: str) -> Tensor:
    """A copy of `host` on the card, with its strides (``host.to`` would close the gaps)."""
    handle = torch.empty_strided(host.size(), host.stride(), dtype=host.dtype, device=torch.device(device))
    return handle.copy_(host)


def wait(result: Tensor) -> None:
    """Return when all that was launched on the tensor's card is done."""
    torch.cuda.synchronize(result.device)


def versions() -> dict[str, str]:
    """The CUDA that torch was built for; empty for a build without."""
    return {} if torch.version.cuda is None else {"torch_cuda": torch.version.cuda}


class TorchCard:
    """`kernels.gpu.card.Card`, by torch."""

    def __init__(self, device: str) -> None:
        self._device = torch.device(device)
        self._flush = torch.empty(0, dtype=torch.uint8, device=self._device)

    def update(self, handle: Tensor, host: Array) -> bool:
        """One copy over the bus, into the tensor that is there."""
        carrier = host.view("i2") if host.dtype.name == "bfloat16" else host
        target = handle.view(torch.int16) if handle.dtype == torch.bfloat16 else handle
        target.copy_(torch.from_numpy(carrier))
        return True

    def hold(self) -> None:
        """Let the card spin; its caches stay as they are."""
        with torch.cuda.device(self._device):
            torch.cuda._sleep(_HOLD_CYCLES)  # type: ignore[no-untyped-call]  # torch's own

    def mark(self) -> Any:
        """A recorded event on the current stream."""
        event = torch.cuda.Event(enable_timing=True)  # type: ignore[no-untyped-call]  # as above
        event.record(torch.cuda.current_stream(self._device))
        return event

    def seconds(self, start: Any, end: Any) -> float:
        """By cudaEventElapsedTime, whose resolution is about half a microsecond."""
        end.synchronize()
        return float(start.elapsed_time(end)) / 1e3

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
