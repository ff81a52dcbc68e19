"""Which run is in which file, and the rounds that lie beside its cells."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import pandas as pd

from bench.records.find_runs import has_rows
from bench.records.reading import ReadError, read_cells, read_rounds
from kernels.networks.case import SLOPED_OPS

__all__ = ["RunName", "cells_under", "files_of_runs", "paths_of_runs", "rounds_beside", "rounds_of_runs"]

RunName = tuple[str, str]
"""The machine's name and the run's id: runs of two machines may have one id."""


def cells_under(folder: Path) -> list[Path]:
    """The cells.csv of each run under `folder` that measured anything, but for those kept as references.

    Raises ReadError.
    """
    try:
        found = sorted(path for path in folder.glob("*/cells.csv") if path.parent.name != "reference")
        return list(filter(has_rows, found))
    except OSError as error:
        raise ReadError(f"{folder}: cannot be read: {error.strerror}") from error


def paths_of_runs(paths: Sequence[Path]) -> dict[RunName, Path]:
    """By run the file with its cells, the last one where several have it.  Raises ReadError."""
    return files_of_runs(read_cells(paths, ("machine", "run_id"), sourced=True), paths)


def files_of_runs(cells: pd.DataFrame, paths: Sequence[Path]) -> dict[RunName, Path]:
    """As `paths_of_runs`, of cells that were read from `paths` with their ``file``."""
    runs = cells[["machine", "run_id", "file"]].drop_duplicates().sort_values("file", kind="stable")
    rows = runs.itertuples(index=False, name=None)
    return {(str(machine), str(run_id)): paths[file] for machine, run_id, file in rows}


def rounds_of_runs(paths: Mapping[RunName, Path]) -> list[pd.DataFrame]:
    """The rounds of each of these runs that has any, as `rounds_beside` reads them, with their ``machine``."""
    found = []
    for path in dict.fromkeys(paths.values()):
        rounds = rounds_beside(path)
        if rounds is not None:
            machines = {run_id: machine for (machine, run_id), where in paths.items() if where == path}
            own = rounds["run_id"].astype(str).map(machines).fillna("")
            found.append(rounds.assign(machine=own.astype("category")))
    return found


def rounds_beside(cells_csv: Path) -> pd.DataFrame | None:
    """The rows of the rounds.csv beside a run's cells.csv, with slopes as in the cells; None where there are none.

    Of the columns those that name a cell, and process, round, seconds and iterations.

    Raises ReadError for a file that is not such a one.
    """
    path = cells_csv.with_name("rounds.csv")
    if cells_csv.name != "cells.csv" or not has_rows(path):
        return None
    rounds = read_rounds([path], ("process", "round", "seconds", "iterations"))
    rounds.loc[~rounds["op"].isin(SLOPED_OPS), "negative_slope"] = 0.0
    return rounds
