"""Did a backend replace a part of what judges it?

A backend shares its process with the code that times and checks it, and Python lets it replace any of
that.  This finds the plain ways; one that hides from it as well cannot be found from inside.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping
from types import FunctionType, ModuleType

__all__ = ["replaced", "snapshot"]

_CLOCKS = ("perf_counter", "perf_counter_ns", "process_time", "monotonic", "sleep")
_JUDGES = (
    "bench.arm.call_loops",
    "bench.machine.clocks",
    "bench.judging.gate",
    "bench.judging.plants",
    "bench.arm.network",
    "bench.judging.network",
    "bench.machine.cpu_speed",
    "bench.arrays.relocation",
    "bench.arrays.inputs",
    "bench.arrays.call_ring",
    "bench.arm.server",
    "bench.arm.timed_loop",
    "bench.judging.diagnosis",
    "kernels.numbers.host_arrays",
    "kernels.networks.reference",
    "kernels.networks.weights",
    "kernels.correctness.policy",
    "kernels.correctness.reference",
    "kernels.correctness.rules",
    "kernels.correctness.survey",
    "kernels.numbers.ulp",
)

Parts = Mapping[str, object]
"""What stands behind each dotted name: functions where they are defined by their code, all else itself."""


def snapshot() -> Parts:
    """The clocks, and every function and class of the modules that time and judge."""
    return dict(_parts())


def replaced(before: Parts) -> str | None:
    """The first name behind which another thing stands than `before`; None if there is none."""
    now = snapshot()
    return next((name for name, part in before.items() if now.get(name) is not part), None)


def _parts() -> Iterator[tuple[str, object]]:
    for name in _CLOCKS:
        yield f"time.{name}", getattr(sys.modules["time"], name, None)
    for name in _JUDGES:
        module = sys.modules.get(name)
        if module is not None:
            yield from _of_module(name, module)


def _of_module(name: str, module: ModuleType) -> Iterator[tuple[str, object]]:
    for key, value in list(vars(module).items()):
        if not callable(value):
            continue
        if getattr(value, "__module__", None) != name:  # imported; looked into where it is defined
            yield f"{name}.{key}", value
            continue
        yield f"{name}.{key}", _part(value)
        for inner, member in list(vars(value).items()) if isinstance(value, type) else ():
            if callable(member):
                yield f"{name}.{key}.{inner}", _part(member)


def _part(value: object) -> object:
    return value.__code__ if isinstance(value, FunctionType) else value
