"""The CUDA cards of this machine as NVIDIA's management library sees them: for the record, and to tell which is hot.

It needs the package nvidia-ml-py (`pip install .[cuda]`) and a driver.  Without them only the frameworks tell
anything of the cards.  Imports nothing until a device other than the CPU is asked for.
"""

from __future__ import annotations

import importlib
import os
import time
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from typing import Any, Protocol

from kernels.gpu.card import ordinal

__all__ = ["CardReading", "Gauge", "Watch", "describe", "exclusive_mode", "models", "watch_of"]

_COOL_S = 3.0
"""Seconds after which a card that is still slowed down is measured as it is."""
_LOOK_S = 0.25
"""Seconds between two looks at one that cools down."""
_BRAKES = {
    "hardware slowdown": ("nvmlClocksThrottleReasonHwSlowdown", None),
    "heat, by software": (
        "nvmlClocksThrottleReasonSwThermalSlowdown",
        "NVML_FI_DEV_CLOCKS_EVENT_REASON_SW_THERM_SLOWDOWN",
    ),
    "heat, by hardware": (
        "nvmlClocksThrottleReasonHwThermalSlowdown",
        "NVML_FI_DEV_CLOCKS_EVENT_REASON_HW_THERM_SLOWDOWN",
    ),
    "power brake": (
        "nvmlClocksThrottleReasonHwPowerBrakeSlowdown",
        "NVML_FI_DEV_CLOCKS_EVENT_REASON_HW_POWER_BRAKE_SLOWDOWN",
    ),
}
"""What slows a card down: the bit that says that it does now, and the counter of the nanoseconds for which it did.

A card that draws all the power it may is in its usual state, so that is none of them.
"""
_EXCLUSIVE = {1: "exclusive thread", 2: "prohibited", 3: "exclusive process"}
"""Compute modes in which no two processes may use a card, by NVML's number."""


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

    def sm_mhz(self) -> int:
        """The clock of the multiprocessors now; 0 where it is not told."""

    def slowed_ns(self) -> Mapping[str, int]:
        """For how many nanoseconds each brake has slowed it down so far; without those that are not counted."""


class Watch:
    """Tells whether a card was slowed down since it was last asked; without a gauge it never was.

    A card that is asked is idle by then, so counters are compared where it has them.  `at_rest` names what seems to
    slow it down before anything works on it, as in some virtual machines: that tells nothing.
    """

    def __init__(self, gauge: Gauge | None, at_rest: str = "") -> None:
        self._gauge, self._at_rest = gauge, set(at_rest.split("; "))
        self._before = {} if gauge is None else dict(gauge.slowed_ns())

    def throttled(self) -> str:
        """What has slowed the card down since this was last asked; empty if nothing has."""
        if self._gauge is None:
            return ""
        before, self._before = self._before, dict(self._gauge.slowed_ns())
        if not before:
            return self._now()
        return "; ".join(name for name, spent_ns in self._before.items() if spent_ns > before.get(name, 0))

    def sm_mhz(self) -> int | None:
        """The clock of the card's multiprocessors, which it keeps for a moment after work; None where nobody tells."""
        return None if self._gauge is None else self._gauge.sm_mhz() or None

    def _now(self) -> str:
        """What slows it down at this moment."""
        said = "" if self._gauge is None else self._gauge.read().throttled
        return "; ".join(name for name in said.split("; ") if name and name not in self._at_rest)

    def cool(self, most_s: float = _COOL_S) -> None:
        """Return when nothing slows it down any more, after `most_s` at the latest."""
        end = time.monotonic() + most_s
        while self._now() and time.monotonic() < end:
            time.sleep(_LOOK_S)


_at_rest: dict[int, str] = {}
"""What seemed to slow each card down when this process first looked at it."""


def watch_of(device: str) -> Watch:
    """A watch on `device`, which watches nothing on the CPU or where the management library is missing."""
    number = ordinal(device)
    gauge = None if number is None else _gauge(number)
    if number is None or gauge is None:
        return Watch(None)
    return Watch(gauge, _at_rest.setdefault(number, gauge.read().throttled))


def describe(devices: Iterable[str]) -> list[dict[str, Any]] | None:
    """The cards among `devices`: name, driver, memory, limits; None if there are only CPUs.

    Asked before anything works on them, it also notes what seems to slow them down at rest (see `Watch`).
    """
    numbers = sorted({number for device in devices if (number := ordinal(device)) is not None})
    return [_described(number) for number in numbers] if numbers else None


def models(cards: Iterable[Mapping[str, Any]]) -> dict[str, str]:
    """Of what `describe` tells that which makes rows of two cards incomparable, by device, as far as it is known."""
    return {
        str(
            card["device"]
        ): f"{card['name']}, driver {card['driver']}, {card['memory_bytes'] / 2**30:.1f} GiB"
        for card in cards
        if card.get("name") and card.get("memory_bytes") is not None
    }


def exclusive_mode(device: str) -> str:
    """The compute mode of a card that only one process may use at a time; empty for any other, and where unknown."""
    number = ordinal(device)
    gauge = None if number is None else _gauge(number)
    return "" if gauge is None else _EXCLUSIVE.get(gauge.compute_mode(), "")


def _described(number: int) -> dict[str, Any]:
    device = {"device": f"cuda:{number}"}
    gauge = _gauge(number)
    if gauge is None:
        return device | {"known": "nothing: needs pip install nvidia-ml-py, NVIDIA's driver, and such a card"}
    now = gauge.read()
    _at_rest.setdefault(number, now.throttled)
    return device | gauge.facts() | {"now": asdict(now), "slowed_ns": dict(gauge.slowed_ns())}


def _gauge(number: int) -> _Nvml | None:
    library = _library()
    handle = None if library is None else _handle(library, number)
    return None if handle is None else _Nvml(library, handle)


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


class _Nvml:
    """A gauge by NVML.  Not every card, driver and virtual machine tells everything."""

    def __init__(self, library: Any, handle: Any) -> None:
        self._library, self._handle = library, handle

    def facts(self) -> dict[str, Any]:
        """What a card is, as far as it is told."""
        nvml, handle = self._library, self._handle
        memory = self._ask(nvml.nvmlDeviceGetMemoryInfo, handle)
        return {
            "name": _text(self._ask(nvml.nvmlDeviceGetName, handle)),
            "driver": _text(self._ask(nvml.nvmlSystemGetDriverVersion)),
            "memory_bytes": None if memory is None else int(memory.total),
            "compute_mode": _EXCLUSIVE.get(self.compute_mode(), "default"),
        }

    def compute_mode(self) -> int:
        """NVML's number of it."""
        return int(self._ask(self._library.nvmlDeviceGetComputeMode, self._handle) or 0)

    def read(self) -> CardReading:
        nvml, handle = self._library, self._handle
        return CardReading(
            sm_mhz=self.sm_mhz(),
            memory_mhz=int(self._ask(nvml.nvmlDeviceGetClockInfo, handle, nvml.NVML_CLOCK_MEM) or 0),
            power_w=(self._ask(nvml.nvmlDeviceGetPowerUsage, handle) or 0) / 1000,
            temperature_c=int(
                self._ask(nvml.nvmlDeviceGetTemperature, handle, nvml.NVML_TEMPERATURE_GPU) or 0
            ),
            throttled=self._throttled(),
        )

    def sm_mhz(self) -> int:
        """By NVML."""
        nvml = self._library
        return int(self._ask(nvml.nvmlDeviceGetClockInfo, self._handle, nvml.NVML_CLOCK_SM) or 0)

    def slowed_ns(self) -> dict[str, int]:
        """By NVML's counters, which newer drivers have."""
        counted = {name: getattr(self._library, field, None) for name, (_, field) in _BRAKES.items() if field}
        known = {name: field for name, field in counted.items() if field is not None}
        ask = getattr(self._library, "nvmlDeviceGetFieldValues", None)
        values = self._ask(ask, self._handle, list(known.values())) if known and ask else None
        return {
            name: int(value.value.ullVal)
            for name, value in zip(known, values or (), strict=False)
            if value.nvmlReturn == 0
        }

    def _throttled(self) -> str:
        nvml = self._library
        bits = int(self._ask(nvml.nvmlDeviceGetCurrentClocksThrottleReasons, self._handle) or 0)
        return "; ".join(name for name, (bit, _) in _BRAKES.items() if bits & getattr(nvml, bit, 0))

    def _ask(self, question: Any, *arguments: Any) -> Any:
        """The answer; None where the card has none."""
        try:
            return question(*arguments)
        except self._library.NVMLError:
            return None


def _text(value: Any) -> str:
    return value.decode() if isinstance(value, bytes) else str(value or "")
