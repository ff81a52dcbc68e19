"""From the cells of one or several runs to what the page holds: small, in plain numbers, in a known order.

A page of a million rows would neither load nor be read, so the rows are reduced here, in whole columns
and before anything is drawn, and the page says by how much.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import pandas as pd

from bench.stats.fastest import COMPETING
from bench.stats.frames import group_ids
from bench.stats.run_estimates import NEEDED as COMPARED
from kernels.api import AXIS_TABLE, USUAL
from scripts._shared.drawn_arms import arms_of
from scripts._shared.summary import CASE, NEEDED

__all__ = ["COLUMNS", "SLICE", "FigureError", "Reduced", "likeness", "overall", "reduce", "rows_of"]

COLUMNS = (
    *NEEDED,
    *(name for name in COMPARED if name not in NEEDED),
    *("contended_rounds", "import_s", "second_call_s", "max_ulp", "special_values", "resolve_s"),
)
"""The columns of cells.csv that a report is made of."""

SLICE = ("machine", "run_id", *CASE[1:-1])
"""What the page lets its reader choose: everything that tells cases apart but the size."""

MOST_ROWS = 20_000
MOST_SIZES = 48


class FigureError(ValueError):
    """Cells of which no figure can be drawn; one line."""


class Reduced(NamedTuple):
    """The rows that the page holds; `notes` are sentences on what it leaves out."""

    cells: pd.DataFrame
    notes: list[str]


def rows_of(frame: pd.DataFrame) -> Iterator[Any]:
    """The rows of `frame`, each with its columns as attributes."""
    return iter(frame.itertuples(index=False))


def likeness(cells: pd.DataFrame) -> npt.NDArray[np.int64]:
    """For each row how much its case has in common with the one that is shown where nothing was chosen."""
    wanted = [axis.name for axis in AXIS_TABLE if axis.kind in ("word", "device")]
    alike = [(cells[name] == USUAL[name]).to_numpy(np.int64) for name in wanted]
    return np.asarray(np.sum(alike, axis=0), np.int64)


def reduce(cells: pd.DataFrame, most_rows: int = MOST_ROWS, most_sizes: int = MOST_SIZES) -> Reduced:
    """`cells` in the order of `SLICE` and size, and not too many: `most_sizes` of a line, `most_rows` in all.

    Adds ``slice``, the number of each row's slice from 0 up.  Sizes go first, evenly by rank and never
    the smallest or the largest; whole slices go last, from the end.
    """
    slices = group_ids(cells, SLICE)
    kept = _kept_sizes(slices, cells["n"].to_numpy(), most_sizes)
    thinned = not kept.all()
    counts = np.bincount(slices[kept])
    allowed = max(1, int(np.searchsorted(np.cumsum(counts), most_rows, side="right")))
    kept = kept & (slices < allowed)
    rows = np.flatnonzero(kept)
    rows = rows[np.lexsort((cells["n"].to_numpy()[rows], slices[rows]))]
    notes = []
    if len(rows) < len(cells):
        parts = [f"the first {allowed:,} of {len(counts):,} combinations"] * (allowed < len(counts))
        parts += [f"at most {most_sizes} sizes of each"] * thinned
        notes.append(
            f"This page holds {len(rows):,} of {len(cells):,} cells: {', '.join(parts)}. The table over all"
            " cases counts every cell; --ops, --dtypes and the like choose what else to show."
        )
    return Reduced(cells.iloc[rows].assign(slice=slices[rows]), notes)


def _kept_sizes(
    slices: npt.NDArray[np.int64], sizes: npt.NDArray[np.int64], most: int
) -> npt.NDArray[np.bool_]:
    """For each row whether its size is among the `most` that its slice keeps."""
    pairs = pd.DataFrame({"slice": slices, "n": sizes}).drop_duplicates().sort_values(["slice", "n"])
    rank = pairs.groupby("slice").cumcount().to_numpy()
    total = pairs.groupby("slice")["n"].transform("size").to_numpy()
    step = rank * (most - 1) / np.maximum(total - 1, 1)
    before = (rank - 1) * (most - 1) / np.maximum(total - 1, 1)
    pairs["kept"] = (total <= most) | (rank == 0) | (np.floor(step + 1e-9) > np.floor(before + 1e-9))
    if pairs["kept"].all():
        return np.ones(len(slices), bool)
    wanted = pd.DataFrame({"slice": slices, "n": sizes}).merge(pairs, on=["slice", "n"], how="left")
    return wanted["kept"].to_numpy(bool)


def overall(cells: pd.DataFrame) -> pd.DataFrame:
    """Each ranked arm over all cases, the most often fastest first.

    `cells` are as `scripts._shared.summary.ranked` leaves them.  Columns: ``arm``, ``cases`` timed, ``fastest``
    (in how many of them it is in the fastest set), ``unresolved`` (in how many that is not known), ``speedup``
    (geometric mean over the baseline), ``other`` (cells that count neither as ok nor as noisy).
    """
    some = cells[cells["role"].isin(COMPETING)]
    arms, code = arms_of(some)
    timed = some["timed"].to_numpy()
    with np.errstate(divide="ignore", invalid="ignore"):
        logs = np.log(some["speedup"].to_numpy(float))
    logs = np.where(np.isfinite(logs) & timed, logs, np.nan)
    standing = some["standing"]
    places = {"fastest": standing.isin(("leader", "same")), "unresolved": standing == "unresolved"}
    table = pd.DataFrame({"code": code, "timed": timed, **places, "log": logs})
    grouped = table.groupby("code")
    result = pd.DataFrame(
        {
            "arm": [arm.name for arm in arms],
            "cases": grouped["timed"].sum(),
            "fastest": grouped["fastest"].sum(),
            "unresolved": grouped["unresolved"].sum(),
            "speedup": np.exp(grouped["log"].mean()),
            "other": grouped["timed"].size() - grouped["timed"].sum(),
        }
    )
    return result.sort_values(["fastest", "speedup"], ascending=False, kind="stable").reset_index(drop=True)
