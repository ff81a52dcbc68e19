"""Runs of several machines beside each other: ratios that each machine has by itself, never times of two of them."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt
import pandas as pd

from bench.stats.frames import group_ids
from scripts._shared.remarks import clean
from scripts._shared.summary import CASE, fastest

__all__ = [
    "ARM",
    "ONLY_RATIOS",
    "SCALING_COLUMNS",
    "TENSOR",
    "machine_lines",
    "machines_of",
    "on_several",
    "side_by_side",
    "speedups",
]

ONLY_RATIOS = "across machines only ratios are compared, never times"
TENSOR = CASE[1:]
"""What a case is on any machine."""
SCALING_COLUMNS = ("kind", "threads_effective")
"""The columns of cells.csv that `scripts._shared.scaling` needs besides those of a summary."""
ARM = ("backend", "variant")


def machines_of(cells: pd.DataFrame) -> list[str]:
    """The names of the machines, in the order in which tables list them."""
    return [clean(name) for name in sorted(map(str, cells["machine"].unique()))]


def machine_lines(cells: pd.DataFrame) -> Iterator[str]:
    """One line where the cells are of several machines: how they stand beside each other."""
    names = machines_of(cells)
    if len(names) > 1:
        named = ", ".join(name or "one without a name" for name in names)
        yield f"{len(names)} machines ({named}), each with tables of its own: {ONLY_RATIOS}."


def side_by_side(cells: pd.DataFrame) -> pd.DataFrame:
    """A row for each tensor that several machines have, and each of these: the fastest set there, and its speed-up.

    `cells` as `scripts._shared.summary.ranked` leaves them.  Columns: those of `scripts._shared.summary.fastest`, and
    ``most``, whether changing from the baseline to the fastest is worth more there than on any other machine.
    """
    frame, _ = fastest(cells, lambda total: total)
    frame = on_several(frame, group_ids(frame, TENSOR))
    most = np.zeros(len(frame), bool)
    for rows in frame.groupby("tensor", sort=False).indices.values():
        best = _most(frame.iloc[rows])
        if best is not None:
            most[rows[best]] = True
    return frame.assign(most=most)


def _most(rows: pd.DataFrame) -> int | None:
    """The place of the row whose speed-up is beyond those of all others; None where none is shown to be."""
    if rows["baseline"].astype(str).nunique() > 1:  # ratios over different things
        return None
    low, high = (_bounds(rows, name) for name in ("speedup_lo", "speedup_hi"))
    best = int(np.argmax(np.nan_to_num(low, nan=-np.inf)))
    return best if bool((low[best] > np.delete(high, best)).all()) else None


def _bounds(rows: pd.DataFrame, name: str) -> npt.NDArray[np.float64]:
    """That bound; of the baseline itself 1."""
    return rows[name].fillna(rows["speedup"].where(rows["speedup"] == 1.0)).to_numpy(float)


def speedups(cells: pd.DataFrame) -> pd.DataFrame:
    """A row for each candidate of a tensor that several machines timed over one baseline, and each of these.

    Columns: those of `TENSOR`, ``machine``, ``backend``, ``variant``, ``baseline``, ``speedup``, ``speedup_lo``,
    ``speedup_hi``, and ``differs``, whether two machines were shown to differ in it (their intervals are apart).
    """
    some = cells[cells["timed"] & (cells["role"] == "candidate") & cells["speedup"].notna()]
    keys = [*TENSOR, *ARM, "baseline"]
    some = some.drop_duplicates([*keys, "machine"], keep="last")
    frame = on_several(some, group_ids(some, keys))
    groups = frame.groupby("tensor")
    apart_ = groups["speedup_lo"].transform("max") > groups["speedup_hi"].transform("min")
    return frame.assign(differs=apart_)[[*keys, "machine", "speedup", "speedup_lo", "speedup_hi", "differs"]]


def on_several(frame: pd.DataFrame, tensor: npt.NDArray[np.int64]) -> pd.DataFrame:
    """The rows whose tensor, by its number, several machines have; these numbers, and the machines, are their order."""
    frame = frame.assign(tensor=tensor, machine=frame["machine"].astype(str))
    several = frame.groupby("tensor")["machine"].transform("nunique").to_numpy() > 1
    return (
        frame[several.astype(bool)].sort_values(["tensor", "machine"], kind="stable").reset_index(drop=True)
    )
