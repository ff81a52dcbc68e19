"""How many times faster one arm is than another, with an interval, as well as the cells at hand tell."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from bench.records.schema import CELL_KEY
from bench.stats import counted
from bench.stats.estimates import Interval, ratio, verdict
from bench.stats.frames import timed
from scripts._recommend.runs import Evidence

__all__ = ["Ratio", "Row", "apart", "paired"]

Row = Mapping[str, Any]
"""A timed cell: its columns, and what `scripts._shared.summary.prepare` adds."""

_LEAST_ROUNDS = 4
"""With fewer rounds in common an interval says little."""


@dataclass(frozen=True, slots=True)
class Ratio:
    """`value` times faster; `lo` to `hi` is NaN where nothing is known; `how` says where they come from."""

    value: float
    lo: float
    hi: float
    verdict: str
    how: str


def paired(evidence: Evidence, slow: Row, fast: Row) -> Ratio:
    """time of `slow` / time of `fast`, two arms of one experiment.

    Round by round where the rounds are there, else from the two speed-ups over the baseline.
    """
    noise = max(_number(row["noise_floor"], 0.0) for row in (slow, fast))
    one, other = (_seconds(evidence, row) for row in (slow, fast))
    both = counted.paired(one, other)
    if len(both) >= _LEAST_ROUNDS:
        found, how = ratio(both[:, 0], both[:, 1]), "paired round by round"
    else:
        found, how = _from_speedups(slow, fast), "from the speed-ups over the baseline"
    known = math.isfinite(found.lo) and math.isfinite(found.hi)
    return Ratio(found.value, found.lo, found.hi, verdict(found, noise) if known else "", how)


def apart(slow: Row, fast: Row) -> Ratio:
    """time of `slow` / time of `fast`, measured in different experiments: not paired, so less sure."""
    noise = max(_number(row["noise_floor"], 0.0) for row in (slow, fast))
    found = Interval(
        slow["time_s"] / fast["time_s"],
        _number(slow["time_lo_s"]) / _number(fast["time_hi_s"]),
        _number(slow["time_hi_s"]) / _number(fast["time_lo_s"]),
    )
    known = math.isfinite(found.lo) and math.isfinite(found.hi)
    how = "from two experiments, not paired"
    return Ratio(found.value, found.lo, found.hi, verdict(found, noise) if known else "", how)


def _from_speedups(slow: Row, fast: Row) -> Interval:
    def bounds(row: Row) -> tuple[float, float]:
        own = 1.0 if row["role"] == "baseline" else math.nan
        return _number(row["speedup_lo"], own), _number(row["speedup_hi"], own)

    (slow_lo, slow_hi), (fast_lo, fast_hi) = bounds(slow), bounds(fast)
    return Interval(
        slow["time_s"] / fast["time_s"],
        fast_lo / slow_hi if slow_hi else math.nan,
        fast_hi / slow_lo if slow_lo else math.nan,
    )


def _seconds(evidence: Evidence, row: Row) -> list[counted.Timed]:
    """The arm's rounds, where the run has them."""
    rounds = evidence.rounds(str(row["run_id"]))
    if rounds is None:
        return []
    keep = np.ones(len(rounds), bool)
    for name in CELL_KEY:
        keep &= (rounds[name] == row[name]).to_numpy()
    return timed(rounds[keep])


def _number(value: Any, otherwise: float = math.nan) -> float:
    number = float(value)
    return otherwise if math.isnan(number) else number
