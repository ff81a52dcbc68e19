"""Arrays on a CUDA card by numba.cuda: copied there and back, and timed by events."""

from __future__ import annotations

import contextlib
from dataclasses import dataclass
from typing import Any

import numba
import numpy as np
from numba.cuda.cudadrv.error import CudaSupportError

from kernels.gpu.card import Array, ordinal, why_not_there
from kernels.gpu.cuda_words import SIMULATED, cuda

__all__ = ["CardArray", "NumbaCard", "select", "versions", "why_no_card"]

_L2_BYTES = 64 << 20
_HOLD_NS = 100_000


@dataclass(frozen=True, slots=True)
class CardArray:
    """Elements of `dtype` on the card, carried by unsigned integers of their size."""

    bits: Any
    dtype: np.dtype[Any]

    def to_host(self) -> Array:
        """A copy."""
        return np.asarray(self.bits.copy_to_host().view(self.dtype))


def why_no_card(name: str, device: str) -> str | None:
    """None if Numba sees the card `device` and can compile for it, else a reason."""
    problem = why_not_there(name, device, *_cards())
    if problem is None and not SIMULATED:
        problem = _no_compiler()
    return problem


def _cards() -> tuple[int, str]:
    """How many cards there are, and why there are none."""
    try:
        return len(cuda.gpus), "the driver reports none; look at nvidia-smi and CUDA_VISIBLE_DEVICES"
    except CudaSupportError as error:
        said = " ".join(str(error).split())
        return 0, f"numba {numba.__version__} cannot use the driver ({said[:120]}); install NVIDIA's driver"


def _no_compiler() -> str | None:
    if cuda.is_available():
        return None
    return "numba.cuda finds no libNVVM, which compiles kernels: pip install 'numba-cuda[cu12]'"


def select(device: str) -> None:
    """Make `device` the one that this thread's calls go to."""
    cuda.select_device(ordinal(device) or 0)


def versions() -> dict[str, str]:
    """Which numba.cuda it is, and the CUDA runtime."""
    if SIMULATED:
        return {"numba_cuda": "simulator"}
    found = {"numba_cuda": str(getattr(cuda, "implementation", "Built-in"))}
    with contextlib.suppress(Exception):  # without a card there is no runtime to ask
        found["cuda_runtime"] = ".".join(map(str, cuda.runtime.get_version()))
    return found


class NumbaCard:
    """`kernels.gpu.card.Card`, by numba.cuda."""

    def __init__(self, device: str) -> None:
        select(device)
        self._buffers: tuple[Any, Any] | None = None

    def update(self, handle: CardArray, host: Array) -> bool:
        """One copy over the bus, into the array that is there."""
        handle.bits.copy_to_device(host.view(handle.bits.dtype))
        return True

    def hold(self) -> None:
        """Let one thread sleep, on cards that can (compute capability 7.0)."""
        if not SIMULATED and cuda.get_current_device().compute_capability >= (7, 0):
            _sleep[1, 1](_HOLD_NS)

    def mark(self) -> Any:
        """A recorded event; the simulator's has no clock."""
        if SIMULATED:
            return None
        event = cuda.event(timing=True)
        event.record()
        return event

    def seconds(self, start: Any, end: Any) -> float:
        """By cuEventElapsedTime, whose resolution is about half a microsecond."""
        end.synchronize()
        return float(start.elapsed_time(end)) / 1e3

    def flush(self, nbytes: int) -> None:
        """Copy a buffer to another; together they have that size."""
        half = max(nbytes // 2, 1)
        if self._buffers is None or self._buffers[0].size != half:
            self._buffers = cuda.device_array(half, np.uint8), cuda.device_array(half, np.uint8)
        self._buffers[1].copy_to_device(self._buffers[0])
        cuda.synchronize()

    def cache_bytes(self) -> int:
        """The card's L2; the simulator has none."""
        return 1 << 16 if SIMULATED else int(getattr(cuda.get_current_device(), "L2_CACHE_SIZE", _L2_BYTES))

    def trim(self) -> None:
        """Free what Numba has put off freeing."""
        self._buffers = None
        if not SIMULATED:
            cuda.current_context().deallocations.clear()

    def free_bytes(self) -> int | None:
        """What the driver has free."""
        return None if SIMULATED else int(cuda.current_context().get_memory_info().free)

    def peak_bytes(self, *, reset: bool = False) -> int | None:
        """Numba does not count."""
        return None


def _nap(nanoseconds: Any) -> None:
    cuda.nanosleep(nanoseconds)


_sleep = cuda.jit(_nap)
