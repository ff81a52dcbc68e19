"""Experiments measured in a run of their own, whose files are read and not kept."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from bench.plan.experiments import Experiment
from bench.plan.settings import Settings
from bench.records.schema import Cell, Round
from bench.records.writing import Key, RunFiles
from bench.run.run import Run

__all__ = ["Fresh", "measured"]


@dataclass(frozen=True, slots=True)
class Fresh:
    """What a run wrote; rounds by `bench.records.writing.key_of` of their cell."""

    cells: Sequence[Cell]
    rounds: Mapping[Key, Sequence[Round]]


def measured(
    settings: Settings, chosen: Sequence[Experiment], after_each: Callable[[], None] = lambda: None
) -> Fresh:
    """Measure `chosen` as `pytest bench/` would, all processes new; `after_each` is called after an experiment."""
    with TemporaryDirectory() as folder:
        settings = dataclasses.replace(settings, results=Path(folder), run_id="run")
        with Run(settings, chosen) as run:
            for experiment in run.left:
                run.measure(experiment)
                after_each()
        files = RunFiles(run.files.folder)
        return Fresh(files.open(), files.rounds())
