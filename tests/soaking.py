"""A plugin of pytest: what a run uses up is written down after each experiment, to the file that `LOG` names.

A line has the number of experiments so far, and of the coordinator the CPU seconds, the resident bytes and the open
files.
"""

from __future__ import annotations

import csv
import os
import time
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import psutil
import pytest

from bench.plan.experiments import Experiment
from bench.run.arm_state import ArmState
from bench.run.evidence import Evidence
from bench.run.run import Run

__all__ = ["LOG", "Used", "pytest_configure", "used"]

LOG = "RELU_BENCH_SOAK"


class Used(NamedTuple):
    """By a run until that experiment."""

    experiments: int
    cpu_s: float
    resident: int
    files: int


def used(log: Path) -> list[Used]:
    """What was written down."""
    with log.open(encoding="ascii", newline="") as file:
        return [Used(int(a), float(b), int(c), int(d)) for a, b, c, d in csv.reader(file)]


def pytest_configure() -> None:
    """Write it down from now on."""
    end, this = Run._end, psutil.Process()
    file = Path(os.environ[LOG]).open("w", encoding="ascii", buffering=1)  # noqa: SIM115  # until the process ends

    def ended(run: Run, experiment: Experiment, states: Sequence[ArmState], evidence: Evidence) -> None:
        end(run, experiment, states, evidence)
        line = (run.account.measured, time.process_time(), this.memory_info().rss, this.num_fds())
        file.write(",".join(map(str, line)) + "\n")

    pytest.MonkeyPatch().setattr(Run, "_end", ended)
