"""How the time of a run was spent, and with what; for environment.json and the last lines on the screen."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from statistics import median
from typing import TYPE_CHECKING, Any

from bench.machine import environment
from bench.plan.experiments import Experiment

if TYPE_CHECKING:  # brings NumPy, which collecting a plan must not need
    from bench.run.arm_state import ArmState

__all__ = ["TimeAccount"]


@dataclass(slots=True)
class TimeAccount:
    """One sitting of a run; times in seconds."""

    started: float = field(default_factory=time.monotonic)
    start_up_s: float = 0.0
    """Until all arms' processes had imported their backends; those that started anew included."""
    renewed_s: float = 0.0
    """Of that, what starting anew took (see `bench.run.pool`)."""
    rounds_s: float = 0.0
    """In rounds: batches, and what lies between them."""
    timed_s: float = 0.0
    """In the timed calls of batches."""
    measured: int = 0
    contended: int = 0
    compile_reports: dict[str, dict[str, int]] = field(default_factory=dict)
    versions: dict[str, dict[str, str]] = field(default_factory=dict)
    device_peaks: dict[str, dict[str, int]] = field(default_factory=dict)
    """Peak bytes of device memory, by experiment and arm."""
    queued: dict[str, dict[str, float]] = field(default_factory=dict)
    """Seconds of a call among many that are waited for once, likewise."""
    clocks: dict[str, dict[str, list[float]]] = field(default_factory=dict)
    """The lowest, median and highest clock of a card right after batches, in MHz, likewise."""
    unsettled: dict[str, dict[str, int]] = field(default_factory=dict)
    """How often a card's clocks had not settled before a batch of the last process, likewise."""

    @property
    def wall_s(self) -> float:
        """Seconds since the run began."""
        return time.monotonic() - self.started

    @property
    def timed_share(self) -> float:
        """Share of the time after start-up that went into timed calls."""
        return self.timed_s / max(self.wall_s - self.start_up_s, 1e-9)

    @property
    def rounds_share(self) -> float:
        """Share of the time after start-up that went into rounds."""
        return self.rounds_s / max(self.wall_s - self.start_up_s, 1e-9)

    def add_renewed(self, renewed_s: float) -> None:
        """What compiling took, beyond the time that the experiment was given."""
        self.start_up_s += renewed_s
        self.renewed_s += renewed_s

    def count(self, experiment: Experiment, states: Sequence[ArmState]) -> None:
        """Add an experiment that has ended."""
        self.measured += 1
        peaks = {s.arm.label: s.finished.device_peak_bytes for s in states if s.finished}
        if known := {label: peak for label, peak in peaks.items() if peak is not None}:
            self.device_peaks[experiment.label] = known
        if queued := {s.arm.label: s.queued_s for s in states if s.queued_s is not None}:
            self.queued[experiment.label] = queued
        ticks = {s.arm.label: [b.sm_mhz for b in s.batches if b.sm_mhz is not None] for s in states}
        if told := {label: [min(mhz), median(mhz), max(mhz)] for label, mhz in ticks.items() if mhz}:
            self.clocks[experiment.label] = told
        restless = {s.arm.label: s.finished.unsettled for s in states if s.finished}
        if some := {label: count for label, count in restless.items() if count}:
            self.unsettled[experiment.label] = some
        for state in states:
            self.timed_s += sum(batch.timed_s for batch in state.batches)
            self.contended += state.contended
            if state.loaded is not None:
                self.versions[state.arm.label] = state.loaded.versions
            report = state.compile_report if state.finished else {}
            for name, value in report.items():
                counts = self.compile_reports.setdefault(state.arm.label, {})
                counts[name] = counts.get(name, 0) + int(value)

    def sitting(self) -> dict[str, Any]:
        """As it stands in environment.json."""
        found = {
            "ended_utc": environment.utc_now(),
            "experiments": self.measured,
            "wall_s": round(self.wall_s, 3),
            "start_up_s": round(self.start_up_s, 3),
            "renewed_s": round(self.renewed_s, 3),
            "rounds_s": round(self.rounds_s, 3),
            "timed_s": round(self.timed_s, 3),
            "rounds_share": round(self.rounds_share, 4),
            "timed_share": round(self.timed_share, 4),
            "contended_batches": self.contended,
            "compilers": self.compile_reports,
            "versions": self.versions,
        }
        of_cards: dict[str, Any] = {
            "device_peak_bytes": self.device_peaks,
            "queued_s": self.queued,
            "sm_mhz": self.clocks,
            "unsettled_batches": self.unsettled,
        }
        return found | {name: known for name, known in of_cards.items() if known}
