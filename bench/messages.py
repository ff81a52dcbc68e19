"""What an arm answers to the coordinator: plain data that can be pickled."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from bench.judging.gate import GateReport
from bench.machine.cpu_speed import Readings
from bench.machine.own_usage import Usage

__all__ = ["Finished", "Loaded", "Prepared", "Sample"]


@dataclass(frozen=True, slots=True)
class Loaded:
    """The backend is imported."""

    import_s: float
    versions: dict[str, str]


@dataclass(frozen=True, slots=True)
class Prepared:
    """A case is compiled and has been through the gate, or why not."""

    skip: str | None = None
    gate: GateReport = field(default_factory=lambda: GateReport(None))
    first_call_s: float | None = None
    second_call_s: float | None = None
    threads_effective: int | None = None
    compile_report: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Sample:
    """One batch: seconds per call, what the process used meanwhile, and what was wrong with the output.

    `parts` are seconds per call of the consecutive parts of the batch, `seconds` is that of all of it.
    `began` and `ended` are readings of the clock, `idle_s` and `idle_cpu_s` the seconds since the batch
    before and what this process used up in them, when others were being measured.  `pace` has readings of how
    fast the CPUs were during the batch (see pace.py).
    """

    seconds: float
    parts: tuple[float, ...]
    iterations: int
    began: float
    ended: float
    idle_s: float
    idle_cpu_s: float
    usage: Usage
    total_cpu_s: float
    problem: str | None
    pace: Readings = ()


@dataclass(frozen=True, slots=True)
class Finished:
    """The last look at an arm."""

    problem: str | None
    compile_report: dict[str, Any]
    device_peak_bytes: int | None = None
    """The most memory of the device that the arm had at once, where its framework counts."""
