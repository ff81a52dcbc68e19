"""The cases of a program: what scripts/record.py saw it run."""

from __future__ import annotations

from pathlib import Path

from bench.plan.profiles import Grid
from kernels.api import AXES
from kernels.recorder.cases_file import read_recording

__all__ = ["recorded_grids"]


def recorded_grids(file: str) -> tuple[Grid, ...]:
    """One grid of one case for each kind of call in that file.  Raises ValueError, of one line."""
    recording = read_recording(Path(file))
    if not recording.used:
        raise ValueError(f"{file}: the program ran no activation that this suite measures")
    cases = dict.fromkeys(used.case for used in recording.used)
    return tuple({axis: (getattr(case, axis),) for axis in AXES} for case in cases)
