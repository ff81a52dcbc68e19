"""Recordings made of runs: of their cells.csv and rounds.csv."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from bench.plan.experiments import arm_label, case_label
from bench.records.reading import read_cells, read_rounds
from bench.records.schema import CELL_KEY
from kernels.api import AXES, OPS, Case
from scripts._simulate.recordings import Batch

__all__ = ["condense"]

_CONTROLS = ("twin", "ceiling")
"""Roles that are told apart from the backend of the same name."""


def condense(runs: Sequence[Path]) -> list[Batch]:
    """The batches of runs of the same cases, one after the other: the processes of each are numbered on.

    Networks and a user's own ops are left out: how many bytes they move says little of how they vary.  An arm is
    parallel if its framework was given several threads.  Files of schema 1 have one process and no readings.
    Raises ReadError.
    """
    found: list[Batch] = []
    before = 0
    for run in runs:
        rounds = read_rounds([run / "rounds.csv"])
        threads = read_cells([run / "cells.csv"], ["threads_effective"])
        both = rounds.merge(threads[[*CELL_KEY, "threads_effective"]], on=list(CELL_KEY), how="left")
        both = both[(both["seconds"] > 0) & both["op"].isin(OPS)].drop_duplicates(
            [*CELL_KEY, "process", "round"], keep="last"
        )
        found += [_batch(row, before) for row in _rows(both)]
        before += int(rounds["process"].max())
    return found


def _rows(frame: pd.DataFrame) -> list[dict[str, Any]]:
    return [{str(name): value for name, value in row.items()} for row in frame.to_dict("records")]


def _batch(row: dict[str, Any], before: int) -> Batch:
    case = Case(**{axis: row[axis] for axis in AXES})
    role = str(row["role"])
    return Batch(
        case_label(case),
        case.bytes_moved,
        str(row["backend"]),
        arm_label(str(row["backend"]), str(row["variant"]), role if role in _CONTROLS else ""),
        role,
        int(row["threads_effective"] > 1),
        before + int(row["process"]),
        int(row["round"]),
        int(row["iterations"]),
        float(row["seconds"]),
        *(_known(row[name], row["seconds"]) for name in ("part_q25_s", "mean_s")),
        *(_known(row[name], 0.0) for name in ("cpu_reading_s", "waited_s")),
    )


def _known(value: float, otherwise: float) -> float:
    return float(otherwise if math.isnan(value) else value)
