"""The CUDA driver, asked without a framework: to wait for a card with as little as that can take.

A framework's own wait goes through layers of Python that cost microseconds, and not the same ones in each.  All of them
work in the one primary context of a card, so that the driver's wait is right for all, whatever stream they launch on.
"""

from __future__ import annotations

import ctypes
import functools
from collections.abc import Callable
from typing import Any

from kernels.gpu.card import ordinal

__all__ = ["Driver", "driver_of"]

_LIBRARY = "libcuda.so.1"


class Driver:
    """One card.  Raises RuntimeError where the driver refuses something."""

    def __init__(self, library: Any, number: int) -> None:
        self._library, device, self._context = library, ctypes.c_int(), ctypes.c_void_p()
        self._check("cuInit", library.cuInit(0))
        self._check("cuDeviceGet", library.cuDeviceGet(ctypes.byref(device), number))
        retained = library.cuDevicePrimaryCtxRetain(ctypes.byref(self._context), device)
        self._check("cuDevicePrimaryCtxRetain", retained)

    def select(self) -> None:
        """Make the card the one that this thread waits for."""
        self._check("cuCtxSetCurrent", self._library.cuCtxSetCurrent(self._context))

    def waiter(self) -> Callable[[object], None]:
        """A function that returns when all that was launched on the selected card is done, whatever it is given.

        It raises RuntimeError where a kernel failed.
        """
        synchronize, check = self._library.cuCtxSynchronize, self._check

        def wait(_: object) -> None:
            if code := synchronize():
                check("cuCtxSynchronize", code)

        return wait

    @staticmethod
    def _check(name: str, code: int) -> None:
        if code:
            raise RuntimeError(f"{name} of the CUDA driver failed with error {code}")


@functools.cache
def driver_of(device: str) -> Driver | None:
    """The driver of ``cuda`` or ``cuda:1``; None without NVIDIA's driver, without that card, and for the CPU."""
    number = ordinal(device)
    if number is None:
        return None
    try:
        return Driver(ctypes.CDLL(_LIBRARY), number)
    except (OSError, RuntimeError):
        return None
