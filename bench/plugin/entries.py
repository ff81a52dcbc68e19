"""What is told of a case on one screen: its fastest arms, the time of the first, and what that is beside others.

Works on plain values, so that the end of a run and `scripts/summarise.py` show the same.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from bench.plan.experiments import arm_label
from bench.records.schema import Cell, values_of
from bench.stats.fastest import standings
from kernels.api import AXES

__all__ = ["Entry", "entries"]


@dataclass(frozen=True, slots=True)
class Entry:
    """One case: its axes, and what is known of its fastest."""

    axes: Mapping[str, Any]
    fastest: Sequence[str]
    unresolved: Sequence[str]
    time_s: float
    noisy: bool
    baseline: str
    speedup: float
    """How many times as fast as the baseline the first of them is; NaN where that is not known."""
    of_copy: float
    """Its share of the copy's bandwidth; NaN where that is not known."""


def entries(experiments: Iterable[Sequence[Cell]]) -> list[Entry]:
    """Of the cells of each experiment; those in which nothing was timed have none."""
    found = []
    for cells in experiments:
        standing = standings([values_of(cell) for cell in cells])
        best = standing.leader
        if best is not None:
            found.append(
                Entry(
                    {axis: best[axis] for axis in AXES},
                    [_name(row) for row in standing.fastest],
                    [_name(row) for row in standing.unresolved],
                    best["time_s"],
                    best["status"] == "noisy",
                    best["baseline"],
                    _number(best["speedup"]),
                    _number(best["ceiling_fraction"]),
                )
            )
    return found


def _name(row: Mapping[str, Any]) -> str:
    return arm_label(row["backend"], row["variant"])


def _number(value: Any) -> float:
    return math.nan if value is None or value == "" else float(value)
