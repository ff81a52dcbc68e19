"""What a library for managing cards says, as NVIDIA's does, of cards that are not there."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

__all__ = ["StandIn"]

_HEAT, _BRAKE = 0x20, 0x80


class StandIn:
    """Stands for the module pynvml.  `tells` are the questions that it answers; the others raise, as in some machines.

    `bits` say what slows the card down now, `counters` for how many nanoseconds what did so far.
    """

    class NVMLError(Exception):
        """What is not supported."""

    NVML_CLOCK_SM, NVML_CLOCK_MEM, NVML_TEMPERATURE_GPU = 1, 2, 0
    nvmlClocksThrottleReasonHwSlowdown = 0x8  # noqa: N815  # NVML's names
    nvmlClocksThrottleReasonSwThermalSlowdown = _HEAT  # noqa: N815
    nvmlClocksThrottleReasonHwThermalSlowdown = 0x40  # noqa: N815
    nvmlClocksThrottleReasonHwPowerBrakeSlowdown = _BRAKE  # noqa: N815
    NVML_FI_DEV_CLOCKS_EVENT_REASON_SW_THERM_SLOWDOWN = 269
    NVML_FI_DEV_CLOCKS_EVENT_REASON_HW_THERM_SLOWDOWN = 270

    def __init__(self, *, tells: bool = True, name: str = "A card", mode: int = 0) -> None:
        self.tells, self.name, self.mode, self.bits = tells, name, mode, 0
        self.counters: dict[int, int] = {}

    def __getattr__(self, name: str) -> Any:
        if not name.startswith("nvml"):
            raise AttributeError(name)
        answers = {
            "nvmlDeviceGetName": self.name,
            "nvmlSystemGetDriverVersion": "580.1",
            "nvmlDeviceGetMemoryInfo": SimpleNamespace(total=80 << 30),
            "nvmlDeviceGetComputeMode": self.mode,
            "nvmlDeviceGetClockInfo": 1500,
            "nvmlDeviceGetPowerUsage": 99_000,
            "nvmlDeviceGetTemperature": 50,
            "nvmlDeviceGetCurrentClocksThrottleReasons": self.bits,
        }
        free = {"nvmlInit": None, "nvmlDeviceGetHandleByIndex": "handle"}

        def answer(*arguments: Any) -> Any:
            if name in free:
                return free[name]
            if not self.tells:
                raise self.NVMLError(name)
            if name == "nvmlDeviceGetFieldValues":
                return [self._value(field) for field in arguments[1]]
            return answers[name]

        return answer

    def _value(self, field: int) -> SimpleNamespace:
        known = field in self.counters
        value = SimpleNamespace(ullVal=self.counters.get(field, 0))
        return SimpleNamespace(nvmlReturn=0 if known else 3, value=value)
