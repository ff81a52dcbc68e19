"""A run of hand-picked experiments, as `pytest bench/` would make it, and its rounds read back by arm.

What a script prints comes from the files alone, so that ``--run`` prints the same again.
"""

from __future__ import annotations

import argparse
import dataclasses
import math
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import pandas as pd
from rich.console import Console
from rich.progress import Progress

from bench.plan.experiments import FLOOR, Arm, Experiment, Variant, arm_label, copies_of
from bench.plan.options import parse
from bench.plan.settings import Settings
from bench.records.columns import TIMED
from bench.records.find_runs import find_runs
from bench.records.reading import read_cells, read_rounds
from bench.run.run import Run
from bench.stats.frames import timed
from bench.stats.verdicts import Rounds
from bench.text.units import count_text
from kernels.api import AXES, Case
from kernels.networks.case import NETWORK_OPS
from scripts._shared.pairs import SPREAD_COLUMNS, Gain, Timed, gain, rounds_vary, timed_of

__all__ = ["Arms", "Figures", "Name", "add_run_options", "measure", "settings_of"]

_READ = ("role", "status", "reason", "time_s", "baseline", *SPREAD_COLUMNS, "machine")


def add_run_options(parser: argparse.ArgumentParser, seconds: float) -> None:
    """Offer --run, and what a measurement is told."""
    parser.add_argument("--run", metavar="RUN", help="measure nothing: a run's directory or id, read again")
    parser.add_argument("--results", default="results", metavar="DIR", help="where runs are written")
    parser.add_argument(
        "--run-id", metavar="ID", help="name of the run; one that exists goes on where it stopped"
    )
    parser.add_argument(
        "--max-seconds",
        metavar="S",
        help=f"for the rounds of an experiment at most (default: {seconds:g} s, preparation included, shared by size)",
    )


def settings_of(options: argparse.Namespace, name: str, seconds: float) -> Settings:
    """The settings of a run with torch_eager as the baseline.  Raises OptionError."""
    raw = {"results": options.results, "run_id": options.run_id, "max_seconds": options.max_seconds}
    settings = parse({**raw, "backends": "torch_eager", "baseline": "torch_eager"})
    minutes = None if settings.max_seconds is not None else seconds / 60
    profile = dataclasses.replace(settings.profile, grids=())
    return dataclasses.replace(settings, profile_name=name, profile=profile, grids=(), minutes=minutes)


@dataclasses.dataclass(frozen=True, slots=True)
class Arms:
    """Candidates beside torch_eager, the baseline, which has a twin; `copies` and `floor`: those controls."""

    candidates: tuple[tuple[str, Variant], ...]
    copies: bool = True
    floor: bool = True

    def of(self, case: Case) -> Experiment:
        """The experiment on `case`."""
        arms = [Arm("torch_eager", "baseline")]
        arms += [Arm(backend, "candidate", variant) for backend, variant in self.candidates]
        arms += [Arm("torch_eager", "twin")]
        arms += copies_of(case) if self.copies else ()
        arms += [Arm(FLOOR, "floor")] if self.floor else []
        return Experiment(case, tuple(arms))


def measure(settings: Settings, chosen: Sequence[Experiment], plugins: Mapping[str, str]) -> Path:
    """Measure what the run does not have yet; returns its cells.csv.  Raises RunFilesError."""
    variants = {arm.variant.name: arm.variant for each in chosen for arm in each.arms if arm.variant.name}
    backends = dict.fromkeys(arm.backend for each in chosen for arm in each.arms if not arm.is_control)
    settings = dataclasses.replace(
        settings, plugins=dict(plugins), variants=tuple(variants.values()), backends=tuple(backends)
    )
    console = Console(stderr=True)
    with Run(settings, chosen) as run:
        left = count_text(len(run.left), "experiment")
        print(
            f"run {run.run_id}: {left}; files in {run.files.folder}/",
            *run.files.warnings,
            sep="\n",
            file=sys.stderr,
        )
        with Progress(console=console, transient=True, disable=not console.is_terminal) as bar:
            task = bar.add_task("", total=len(run.left))
            for experiment in run.left:
                bar.update(task, description=experiment.label)
                run.measure(experiment)
                bar.advance(task)
    return run.files.cells_path


Name = tuple[str, str]
"""A backend (or control) and its variant; the twin of the baseline is left out."""


class Figures:
    """The cells and rounds of a run, by case and name."""

    def __init__(self, run: str, results: Path) -> None:
        """Raises ReadError."""
        (path,) = find_runs([run], results)
        cells = read_cells([path], _READ)
        self.run_id, self.machine = str(cells["run_id"].iloc[0]), str(cells["machine"].iloc[0])
        self._cells = {key: group.iloc[-1] for key, group in _groups(cells)}
        self._rounds: dict[tuple[Case, Name], Rounds] = {}
        if cells["status"].isin(TIMED).any():  # of a run that timed nothing there are none to read
            for key, group in _groups(read_rounds([path.with_name("rounds.csv")])):
                self._rounds[key] = timed(group)

    def trouble(self, case: Case, name: Name) -> str | None:
        """None if the arm has a time, else why it has none."""
        cell = self._cells.get((case, name))
        if cell is None:
            return f"{arm_label(*name)} is not in this run"
        return None if cell["status"] in TIMED else f"{arm_label(*name)} {cell['status']}: {cell['reason']}"

    def time_s(self, case: Case, name: Name) -> float:
        """The headline estimate in seconds; NaN without one."""
        return math.nan if self.trouble(case, name) else float(self._cells[case, name]["time_s"])

    def largest(self) -> int:
        """Elements of the largest array in the run."""
        return max(case.n for case, _ in self._cells)

    def fastest(self, case: Case, names: Sequence[Name]) -> Name | None:
        """Of those that have a time."""
        timed = [name for name in names if not self.trouble(case, name)]
        return min(timed, key=lambda name: self.time_s(case, name), default=None)

    def gain(self, case: Case, ours: Name, other: Name, at_least: float = 1.0) -> Gain | None:
        """What `ours` is beside `other` (see `scripts._shared.pairs.gain`); None where either has no time."""
        if self.trouble(case, other) or self.trouble(case, ours):
            return None
        common = rounds_vary((self._cells[each], self._rounds[each]) for each in self._timed_beside(case))
        return gain(self._timed(case, ours), self._timed(case, other), at_least=at_least, common=common)

    def _timed_beside(self, case: Case) -> list[tuple[Case, Name]]:
        """The arms of that experiment that have a time."""
        return [each for each in self._cells if each[0] == case and not self.trouble(*each)]

    def _timed(self, case: Case, name: Name) -> Timed:
        return timed_of(self._rounds[case, name], self._cells[case, name])


def _groups(frame: pd.DataFrame) -> Iterator[tuple[tuple[Case, Name], pd.DataFrame]]:
    frame = frame[(frame["role"] != "twin") & ~frame["op"].isin(NETWORK_OPS)]
    for key, group in frame.groupby([*AXES, "backend", "variant"], observed=True, sort=False):
        *axes, backend, variant = key
        case = Case(**dict(zip(AXES, axes, strict=True)))  # type: ignore[arg-type]  # pandas loses the axes' types
        yield (case, (str(backend), str(variant))), group
