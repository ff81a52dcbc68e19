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
    """Of that, what starting anew took (see `bench.run.process_pool`)."""
    rounds_s: float = 0.0
    """In rounds: batches, and what lies between them."""
    timed_s: float = 0.0
    """In the timed calls of batches."""
    measured: int = 0
    contended: int = 0
    compile_reports: dict[str, dict[str, int]] = field(default_factory=dict)
    versions: dict[str, dict[str, str]] = field(default_factory=dict)
    of_cards: dict[str, dict[str, dict[str, Any]]] = field(default_factory=dict)
    """What is known of arms on cards: by its name in environment.json, experiment and arm."""

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
        for state in states:
            for name, known in _on_a_card(state).items():
                self.of_cards.setdefault(name, {}).setdefault(experiment.label, {})[state.arm.label] = known
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
        return {
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
            **self.of_cards,
        }


def _on_a_card(state: ArmState) -> dict[str, Any]:
    """Peak bytes of device memory; the lowest, median and highest clock right after batches, in MHz; how often the
    clocks had not settled before a batch of the last process.
    """
    finished = state.finished
    mhz = [batch.sm_mhz for batch in state.batches if batch.sm_mhz is not None]
    told = {
        "device_peak_bytes": finished.device_peak_bytes if finished else None,
        "sm_mhz": [min(mhz), median(mhz), max(mhz)] if mhz else None,
        "unsettled_batches": finished.unsettled or None if finished else None,
    }
    return {name: value for name, value in told.items() if value is not None}
