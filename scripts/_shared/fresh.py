"""Experiments measured in a run of their own, whose files are read and not kept."""

from __future__ import annotations

import contextlib
import dataclasses
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from bench.machine.surroundings import HERE, Surroundings
from bench.plan.experiments import Experiment
from bench.plan.settings import Settings
from bench.records.lines import Key
from bench.records.schema import Cell
from bench.records.writing import RunFiles
from bench.run.run import Run
from bench.stats.verdicts import Rounds

__all__ = ["Fresh", "measured"]


@dataclass(frozen=True, slots=True)
class Fresh:
    """What a run wrote; the rounds by `bench.records.lines.key_of` of their cell."""

    cells: Sequence[Cell]
    rounds: Mapping[Key, Rounds]


def measured(
    settings: Settings,
    chosen: Sequence[Experiment],
    after_each: Callable[[], None] = lambda: None,
    *,
    interruptible: bool = False,
    surroundings: Surroundings = HERE,
) -> Fresh:
    """Measure `chosen` as `pytest bench/` would, all processes new; `after_each` is called after an experiment.

    `interruptible`: Ctrl-C ends the measuring, and what was measured until then is given.
    """
    with TemporaryDirectory() as folder:
        settings = dataclasses.replace(settings, results=Path(folder), run_id="run")
        ending = contextlib.suppress(KeyboardInterrupt) if interruptible else contextlib.nullcontext()
        with Run(settings, chosen, surroundings) as run, ending:
            for experiment in run.left:
                run.measure(experiment)
                after_each()
        stored = RunFiles(run.files.folder).open()
        return Fresh(
            [each.cell for each in stored.values()], {key: each.rounds for key, each in stored.items()}
        )
