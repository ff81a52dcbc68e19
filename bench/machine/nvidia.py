"""The CUDA cards of this machine as NVIDIA's management library sees them: for the record, and to tell which is hot.

It needs the package nvidia-ml-py (`pip install .[cuda]`) and a driver.  Without them only the frameworks tell
anything of the cards.  Imports nothing until a device other than the CPU is asked for.
"""

from __future__ import annotations

import importlib
import os
import time
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from typing import Any, Protocol

from kernels.gpu.card import ordinal

__all__ = ["CardReading", "Gauge", "Watch", "describe", "watch_of"]

_COOL_S = 3.0
"""Seconds after which a card that is still slowed down is measured as it is."""
_LOOK_S = 0.25
"""Seconds between two looks at one that cools down."""


@dataclass(frozen=True, slots=True)
class CardReading:
    """A card at a moment; `throttled` names what slows it down, empty if nothing does."""

    sm_mhz: int
    memory_mhz: int
    power_w: float
    temperature_c: int
    throttled: str = ""


class Gauge(Protocol):
    """What reads a card."""

    def read(self) -> CardReading:
        """The card now."""


class Watch:
    """Tells whether a card was slowed down since it was last asked; without a gauge it never was."""

    def __init__(self, gauge: Gauge | None) -> None:
        self._gauge = gauge

    def throttled(self) -> str:
        """What slows the card down now; empty if nothing does."""
        return self._gauge.read().throttled if self._gauge is not None else ""

    def cool(self, most_s: float = _COOL_S) -> None:
        """Return when nothing slows it down any more, after `most_s` at the latest."""
        end = time.monotonic() + most_s
        while self.throttled() and time.monotonic() < end:
            time.sleep(_LOOK_S)


def watch_of(device: str) -> Watch:
    """A watch on `device`, which watches nothing on the CPU or where the management library is missing."""
    number = ordinal(device)
    library = _library() if number is not None else None
    handle = None if library is None or number is None else _handle(library, number)
    return Watch(None if handle is None else _Nvml(library, handle))


def describe(devices: Iterable[str]) -> list[dict[str, Any]] | None:
    """The cards among `devices`: name, driver, memory, limits; None if there are only CPUs."""
    numbers = sorted({number for device in devices if (number := ordinal(device)) is not None})
    if not numbers:
        return None
    library = _library()
    if library is None:
        nothing = "nothing: needs pip install nvidia-ml-py, and NVIDIA's driver"
        return [{"device": f"cuda:{number}", "known": nothing} for number in numbers]
    return [_described(library, number) for number in numbers]


def _described(library: Any, number: int) -> dict[str, Any]:
    handle = _handle(library, number)
    if handle is None:
        return {"device": f"cuda:{number}", "known": "nothing: the driver has no such card"}
    return {
        "device": f"cuda:{number}",
        "name": _text(library.nvmlDeviceGetName(handle)),
        "driver": _text(library.nvmlSystemGetDriverVersion()),
        "memory_bytes": int(library.nvmlDeviceGetMemoryInfo(handle).total),
        "now": asdict(_Nvml(library, handle).read()),
    }


def _library() -> Any:
    """pynvml, begun; None where the package or the driver is missing."""
    try:
        library = importlib.import_module("pynvml")
    except ImportError:
        return None
    try:
        library.nvmlInit()
    except library.NVMLError:
        return None
    return library


def _handle(library: Any, number: int) -> Any:
    """NVML's handle of what CUDA calls card `number`, in the order of the bus (see `bench.run.process`)."""
    visible = os.environ.get("CUDA_VISIBLE_DEVICES")
    try:
        if not visible:
            return library.nvmlDeviceGetHandleByIndex(number)
        name = visible.split(",")[number].strip()
        if name.isdecimal():
            return library.nvmlDeviceGetHandleByIndex(int(name))
        return library.nvmlDeviceGetHandleByUUID(name)
    except (library.NVMLError, IndexError):
        return None


def _text(value: Any) -> str:
    return value.decode() if isinstance(value, bytes) else str(value)


class _Nvml:
    """A gauge by NVML."""

    def __init__(self, library: Any, handle: Any) -> None:
        self._library, self._handle = library, handle

    def read(self) -> CardReading:
        nvml, handle = self._library, self._handle
        return CardReading(
            sm_mhz=self._ask(nvml.nvmlDeviceGetClockInfo, handle, nvml.NVML_CLOCK_SM),
            memory_mhz=self._ask(nvml.nvmlDeviceGetClockInfo, handle, nvml.NVML_CLOCK_MEM),
            power_w=self._ask(nvml.nvmlDeviceGetPowerUsage, handle) / 1000,
            temperature_c=self._ask(nvml.nvmlDeviceGetTemperature, handle, nvml.NVML_TEMPERATURE_GPU),
            throttled=self._throttled(),
        )

    def _ask(self, question: Any, *arguments: Any) -> int:
        try:
            return int(question(*arguments))
        except self._library.NVMLError:  # not every card tells everything
            return 0

    def _throttled(self) -> str:
        """Heat and hardware brakes; a card that draws all the power it may is in its usual state."""
        nvml = self._library
        bits = self._ask(nvml.nvmlDeviceGetCurrentClocksThrottleReasons, self._handle)
        brakes = {
            "hardware slowdown": nvml.nvmlClocksThrottleReasonHwSlowdown,
            "heat, by software": nvml.nvmlClocksThrottleReasonSwThermalSlowdown,
            "heat, by hardware": nvml.nvmlClocksThrottleReasonHwThermalSlowdown,
            "power brake": nvml.nvmlClocksThrottleReasonHwPowerBrakeSlowdown,
        }
        return ", ".join(name for name, bit in brakes.items() if bits & bit)
