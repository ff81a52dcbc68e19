"""Experiments measured in a run of their own, whose files are read, and kept only where that is asked for."""

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
from bench.run.identity import new_run_id
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
    keep: Path | None = None,
) -> Fresh:
    """Measure `chosen` as `pytest bench/` would, all processes new; `after_each` is called after an experiment.

    `interruptible`: Ctrl-C ends the measuring, and what was measured until then is given.  `keep`: the folder in which
    the run stays.
    """
    with TemporaryDirectory() as gone:
        folder = Path(gone) if keep is None else keep
        settings = dataclasses.replace(settings, results=folder, run_id=new_run_id(folder))
        ending = contextlib.suppress(KeyboardInterrupt) if interruptible else contextlib.nullcontext()
        with Run(settings, chosen, surroundings) as run, ending:
            for experiment in run.left:
                run.measure(experiment)
                after_each()
        stored = RunFiles(run.files.folder).open()
        return Fresh(
            [each.cell for each in stored.values()], {key: each.rounds for key, each in stored.items()}
        )
