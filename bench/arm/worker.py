"""The process of one arm: ``python -m bench.arm.worker FD``.

Reads requests (method name and arguments of `Station`) from a socket and answers each with
("done", value) or (status, reason).  Environment variables of a variant are set
by the parent before this process exists, so the allocator and every library see them from the start.
"""

from __future__ import annotations

import ctypes
import faulthandler
import signal
import sys
from collections.abc import Mapping
from multiprocessing.connection import Connection
from typing import Any

from bench.arm.server import Station
from bench.plan.experiments import CONTROLS
from kernels import registry
from kernels.api import Backend
from kernels.plugins import instantiate

__all__ = ["load_backend", "main", "reason_of"]

_PR_SET_PDEATHSIG = 1  # linux/prctl.h
_OUT_OF_MEMORY = (
    "out of memory",
    "not enough memory",
    "can't allocate memory",
    "RESOURCE_EXHAUSTED",  # XLA
    "CUDA_ERROR_OUT_OF_MEMORY",  # the driver, by way of numba.cuda
)


def load_backend(name: str, plugins: Mapping[str, str]) -> Backend:
    """The backend or control arm called `name`; `plugins` maps names to ``MODULE:CLASS``."""
    if name in CONTROLS:
        return instantiate(CONTROLS[name])
    for plugin, spec in plugins.items():
        registry.register(spec, plugin)
    return registry.load(name)


def reason_of(error: BaseException) -> tuple[str, str]:
    """(status, one line that says what was raised): failed, oom, or skipped where nothing is installed."""
    text = " ".join(str(error).split())
    if isinstance(error, registry.MissingBackendError):
        return "skipped", text
    if isinstance(error, registry.BrokenBackendError):
        return "failed", text
    oom = isinstance(error, MemoryError) or any(mark in text for mark in _OUT_OF_MEMORY)
    return ("oom" if oom else "failed"), f"{type(error).__name__}: {text}"[:500]


def _die_with_parent() -> None:
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)


def main(fd: int) -> None:
    """Serve requests until the parent hangs up."""
    _die_with_parent()
    faulthandler.enable()
    connection = Connection(fd)
    station: Station | None = None
    while True:
        try:
            method, arguments = connection.recv()
        except EOFError:
            return
        answer: tuple[str, Any]
        try:
            if method == "open":
                name, plugins, seed, cache_bytes = arguments
                station = Station(lambda: load_backend(name, plugins), seed, cache_bytes)  # noqa: B023
                answer = ("done", station.load())
            else:
                answer = ("done", getattr(station, method)(*arguments))
        except Exception as error:  # noqa: BLE001  # whatever a backend raises becomes its own cell's reason
            answer = reason_of(error)
        connection.send(answer)


if __name__ == "__main__":
    main(int(sys.argv[1]))
