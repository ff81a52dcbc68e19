"""Which run is in which file, and the rounds that lie beside its cells."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from bench.records.find_runs import has_rows
from bench.records.reading import read_cells, read_rounds
from kernels.networks.case import SLOPED_OPS

__all__ = ["paths_of_runs", "rounds_beside"]


def paths_of_runs(paths: Sequence[Path]) -> dict[str, Path]:
    """By run_id the file with its cells, the last one where several have it.  Raises ReadError."""
    return {
        str(run_id): path for path in paths for run_id in read_cells([path], ("run_id",))["run_id"].unique()
    }


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
