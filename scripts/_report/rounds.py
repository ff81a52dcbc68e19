"""The rounds behind the cells that the page holds: seconds per call, by process."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from bench.records.reading import read_rounds
from bench.records.schema import CELL_KEY

__all__ = ["rounds_of"]

MOST_ROUNDS = 120_000
"""In a page; each takes about ten bytes."""
Rounds = list[list[list[float]]]
"""For each cell, for each of its processes, the seconds of each round; nothing where none are known."""


def rounds_of(
    cells: pd.DataFrame, paths: Sequence[Path], most: int = MOST_ROUNDS
) -> tuple[Rounds, list[str]]:
    """The rounds of each row of `cells`, and sentences on what is left out.

    They stand in the rounds.csv beside each cells.csv of `paths`; a run that has none has none here.  Cells are left
    without their rounds from the end, so that there are at most `most`.

    Raises ReadError for a file that is not such a one.
    """
    found: Rounds = [[] for _ in range(len(cells))]
    files = [path.with_name("rounds.csv") for path in paths if path.name == "cells.csv"]
    files = [path for path in files if path.is_file()]
    if not files:
        return found, []
    rounds = read_rounds(files)
    rounds.loc[rounds["op"] == "relu", "negative_slope"] = 0.0  # as in the cells
    keys = list(CELL_KEY)
    places = cells[keys].astype({name: str for name in keys if cells[name].dtype == "category"})
    places["place"] = np.arange(len(cells))
    texts = {name: str for name in keys if rounds[name].dtype == "category"}
    joined = rounds[[*keys, "process", "round", "seconds"]].astype(texts).merge(places, on=keys)
    joined = joined.sort_values(["place", "process", "round"], kind="stable")
    kept = joined.iloc[:most]
    if len(kept) < len(joined):  # whole cells only
        kept = kept[kept["place"] < joined["place"].iloc[most]]
    starts = np.flatnonzero(kept[["place", "process"]].diff().ne(0).any(axis=1))
    seconds, cell = kept["seconds"].to_numpy(), kept["place"].to_numpy()
    for start, part in zip(starts.tolist(), np.split(seconds, starts[1:]), strict=True):
        found[cell[start]].append(part.tolist())
    left = joined["place"].nunique() - kept["place"].nunique()
    return found, [f"The rounds of {left:,} cells are left out."] * (left > 0)
