"""Arrays on a CUDA card by numba.cuda: copied there and back, and timed by events."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numba
import numpy as np
from numba.cuda.cudadrv.error import CudaSupportError

from kernels.gpu.card import Array, Index, ordinal, why_not_there
from kernels.gpu.cuda_words import SIMULATED, cuda
from kernels.gpu.driver import driver_of

__all__ = ["CardArray", "NumbaCard", "select", "versions", "why_no_card"]

_L2_BYTES = 64 << 20
_HOLD_NS = 100_000
_THREADS = 4 if SIMULATED else 64
"""Of a block that moves some elements; the simulator starts a Python thread for each."""


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
        said = " ".join(str(error).split()).partition(" If you are sure")[0]  # a paragraph follows
        return 0, f"numba {numba.__version__} cannot use the driver ({said[:120]}); install NVIDIA's driver"


def _no_compiler() -> str | None:
    if cuda.is_available():
        return None
    home = os.environ.get("CUDA_HOME", "which is not set")
    return (
        f"numba.cuda finds no libNVVM, which compiles kernels, in wheels, in conda's folders or below CUDA_HOME "
        f"({home}): pip install 'numba-cuda[cu13]', or set CUDA_HOME to a toolkit that has a folder nvvm"
    )


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
        self._device = device
        self._buffers: tuple[Any, Any] | None = None

    def update(self, handle: CardArray, host: Array) -> bool:
        """One copy over the bus, into the array that is there."""
        handle.bits.copy_to_device(host.view(handle.bits.dtype))
        return True

    def copy(self, handle: CardArray, pristine: CardArray) -> bool:
        """One copy within the card's memory."""
        handle.bits.copy_to_device(pristine.bits)
        return True

    def put(self, handle: CardArray, index: Index, values: Array) -> bool:
        """One small copy over the bus for each array, and a kernel that scatters."""
        if values.size:
            what = cuda.to_device(np.ascontiguousarray(values).view(handle.bits.dtype))
            _scatter[_blocks(values.size), _THREADS](handle.bits, _flat(handle, index), what)
        return True

    def take(self, handle: CardArray, index: Index) -> Array:
        """A kernel that gathers, and a small copy over the bus."""
        where = _flat(handle, index)
        taken = cuda.device_array(where.shape, handle.bits.dtype)
        if where.size:
            _gather[_blocks(where.size), _THREADS](handle.bits, where, taken)
        return CardArray(taken, handle.dtype).to_host()

    def waiter(self) -> Callable[[object], None] | None:
        """The driver's own; the simulator has none."""
        driver = None if SIMULATED else driver_of(self._device)
        return None if driver is None else driver.waiter()

    def hold(self, times: int = 1) -> None:
        """Let one thread sleep, on cards that can (compute capability 7.0)."""
        if not SIMULATED and cuda.get_current_device().compute_capability >= (7, 0):
            _sleep[1, 1](_HOLD_NS, times)

    def mark(self) -> Any:
        """A recorded event; the simulator's has no clock."""
        if SIMULATED:
            return None
        event = cuda.event(timing=True)
        event.record()
        return event

    def passed(self, mark: Any) -> bool:
        """By cuEventQuery."""
        return bool(mark.query())

    def seconds(self, start: Any, end: Any) -> float:
        """By cuEventElapsedTime, whose resolution is about half a microsecond."""
        end.synchronize()
        return float(start.elapsed_time(end)) / 1e3

    def profile(self, run: Callable[[], object], calls: int) -> None:
        """Never asked for: there are events, but in the simulator."""

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


def _flat(handle: CardArray, index: Index) -> Any:
    """On the card, which elements of the flat array they are."""
    return cuda.to_device(np.ravel_multi_index(index, handle.bits.shape).astype(np.int64))


def _blocks(count: int) -> int:
    return -(-count // _THREADS)


def _nap(nanoseconds: Any, times: Any) -> None:
    for _ in range(times):  # one sleep is a millisecond at most
        cuda.nanosleep(nanoseconds)


def _put(bits: Any, where: Any, what: Any) -> None:
    i = cuda.grid(1)
    if i < where.size:
        bits[where[i]] = what[i]


def _take(bits: Any, where: Any, what: Any) -> None:
    i = cuda.grid(1)
    if i < where.size:
        what[i] = bits[where[i]]


_sleep, _scatter, _gather = cuda.jit(_nap), cuda.jit(_put), cuda.jit(_take)
