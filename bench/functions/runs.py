"""The rows of a run as tables."""

from __future__ import annotations

import os
from pathlib import Path
from typing import NamedTuple

import pandas as pd

from bench.records.find_runs import find_runs, has_rows
from bench.records.reading import read_cells, read_rounds

__all__ = ["Runs", "read_runs"]


class Runs(NamedTuple):
    """A row for each cell, and a row for each timed batch; results/README.md explains every column."""

    cells: pd.DataFrame
    rounds: pd.DataFrame


def read_runs(*paths: str | os.PathLike[str], results: str | os.PathLike[str] = "results") -> Runs:
    """The cells and the rounds of runs, every value checked; of the newest run under `results` if none is named.

    A run is named by its directory, its cells.csv, or its id under `results`.  Times are in seconds per call.  Raises
    ValueError in one line for what is no run, and for the first thing in a file that is wrong.
    """
    found = find_runs([os.fspath(path) for path in paths], Path(results))
    beside = [path.with_name("rounds.csv") for path in found]
    rounds = read_rounds(path for path in beside if has_rows(path)) if any(map(has_rows, beside)) else None
    return Runs(read_cells(found), pd.DataFrame() if rounds is None else rounds)
