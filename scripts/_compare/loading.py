"""The runs of both sides of a comparison: read, and checked to be comparable."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pandas as pd

from bench.records.find_runs import find_runs
from bench.records.reading import read_cells
from bench.stats.run_estimates import NEEDED, Side, arms_of, needed_for
from bench.text.units import count_text
from scripts._shared.cli import UsageError
from scripts._shared.environments import differences, read_environment, remarks
from scripts._shared.fleet import ONLY_RATIOS
from scripts._shared.remarks import clean
from scripts._shared.run_files import rounds_beside

__all__ = ["LoadedRun", "between_machines", "check_environments", "load", "sides"]

_TOLD = ("run_id", "machine", "role", "status", "baseline")
"""The columns that say what a run is, and how its cells ended."""


@dataclass(frozen=True, slots=True)
class LoadedRun:
    """One run, with its environment.json where it has one."""

    path: Path
    cells: pd.DataFrame
    """The columns of its cells that are told of them."""
    environment: Mapping[str, Any] | None
    _arms: list[pd.DataFrame]

    @property
    def machine(self) -> str:
        """The machine's name in its rows."""
        return clean(str(self.cells["machine"].iloc[0]))

    def arms(self) -> pd.DataFrame:
        """What `bench.stats.run_estimates.arms_of` makes of it; to be had once, since it is large."""
        return self._arms.pop()

    def without_copies(self) -> LoadedRun:
        """The run without the ceiling's arms."""
        arms = self.arms()
        some = arms[arms["control"] != "ceiling"]
        return replace(self, cells=self.cells[self.cells["role"] != "ceiling"], _arms=[some])


def sides(first: Sequence[str], new: Sequence[str]) -> tuple[list[str], list[str]]:
    """The names of OLD's runs and of NEW's: all of `first` and `new`, or the two of `first`.  Raises UsageError."""
    if new:
        if not first:
            raise UsageError("OLD is missing; name its runs before --new, as in OLD1 OLD2 --new NEW1 NEW2")
        return list(first), list(new)
    if len(first) == 2:
        return [first[0]], [first[1]]
    raise UsageError(
        f"{count_text(len(first), 'run')} and no --new: which are NEW? allowed: OLD NEW, or OLD1 OLD2 --new NEW1 NEW2"
        " with any number on a side"
    )


def load(names: Sequence[str], results: Path, *, relative: bool, whole: bool = False) -> list[LoadedRun]:
    """The runs of one side, for a comparison of ratios if `relative`; `whole`: with all columns of `NEEDED`.

    Raises ReadError, and UsageError for a run named twice: it is no second measurement.
    """
    paths = find_runs(names, results)
    if len(paths) < len(names):
        raise UsageError(f"a run is named twice on one side ({', '.join(names)}); name each once")
    return [_loaded(path, relative=relative, whole=whole) for path in paths]


def _loaded(path: Path, *, relative: bool, whole: bool) -> LoadedRun:
    """The run at `path`, with the rounds that lie beside it if they are its own."""
    cells = read_cells([path], NEEDED if whole else needed_for(relative=relative))
    for column in ("run_id", "machine"):
        values = [clean(str(value)) for value in cells[column].unique()]
        if len(values) > 1:
            raise UsageError(
                f"{path}: {len(values)} values of {column} ({', '.join(values[:3])}"
                f"{', ...' if values[3:] else ''}); a file of one run is needed: split it"
            )
    rounds = rounds_beside(path)
    own = None if rounds is None else rounds[rounds["run_id"] == cells["run_id"].iloc[0]]
    told = cells.copy(deep=False) if whole else cells[list(_TOLD)]
    arms = arms_of(Side(cells, own), relative=relative, used_up=True)
    return LoadedRun(path, told, read_environment(path), [arms])


def between_machines(
    old: Sequence[LoadedRun], new: Sequence[LoadedRun], *, relative: bool, confirm: bool
) -> tuple[list[LoadedRun], list[LoadedRun]]:
    """Both sides as they may be compared: of two machines without their copies, whose ratios differ as machines do.

    Raises UsageError where a side is of several machines, and where two machines are to be compared by their times, or
    measured again.
    """
    names = [list(dict.fromkeys(run.machine for run in runs)) for runs in (old, new)]
    for side, machines in zip(("OLD", "NEW"), names, strict=True):
        if len(machines) > 1:
            raise UsageError(
                f"{side} is of {len(machines)} machines ({', '.join(machines)}); name the runs of one on each side"
            )
    if names[0] == names[1]:
        return list(old), list(new)
    two = (
        f"OLD is of {names[0][0] or 'a machine without a name'}, NEW of {names[1][0] or 'one without a name'}"
    )
    if not relative:
        raise UsageError(f"{two}: {ONLY_RATIOS}; add --relative and --allow-different-environment")
    if confirm:
        raise UsageError(f"{two}, and --confirm measures here alone; leave it out")
    return [run.without_copies() for run in old], [run.without_copies() for run in new]


def check_environments(old: Sequence[LoadedRun], new: Sequence[LoadedRun], *, allowed: bool) -> list[str]:
    """What to say about the environments; UsageError if they differ and that is not `allowed`.

    All runs are compared with the first of OLD.
    """
    names = ["OLD"] * len(old) + ["NEW"] * len(new)
    first, *others = [*old, *new]
    lines: dict[str, None] = {}
    told: dict[str, None] = {}
    for name, run in zip(names[1:], others, strict=True):
        found = differences(first.environment, run.environment)
        if first.machine != run.machine and not any(line.startswith("machine:") for line in found):
            found.insert(0, f"machine: {first.machine} in OLD, {run.machine} in NEW")
        if name == "OLD":
            found = [f"{line.removesuffix(' in NEW')} in another run of OLD" for line in found]
        lines |= dict.fromkeys(found)
        told |= dict.fromkeys(remarks(first.environment, run.environment) if name == "NEW" else ())
    if lines and not allowed:
        head = "the environments differ; --allow-different-environment compares all the same"
        raise UsageError("\n  ".join([head, *lines]))
    return [*(f"Environments differ: {line}." for line in lines), *told]
