"""The times of a run in the JSON that benchmark dashboards read, in nanoseconds."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from typing import Any

import pandas as pd

from bench.records.columns import TIMED
from bench.stats.fastest import COMPETING
from bench.text.units import number_text, seconds_text
from scripts._compare.changes import cell_name
from scripts._shared.cli import UsageError
from scripts._shared.remarks import clean

__all__ = ["as_bencher", "as_github"]


def as_github(cells: pd.DataFrame) -> str:
    """A list of {name, unit, value, range, extra}, as github-action-benchmark reads it.

    Its tool is ``customSmallerIsBetter`` (README of benchmark-action/github-action-benchmark).
    """
    entries: list[dict[str, str | float]] = []
    for name, row in _named(cells):
        entry: dict[str, str | float] = {"name": name, "unit": "ns", "value": _ns(row.time_s)}
        extra = [f"status {row.status}", f"machine {clean(row.machine)}"]
        if _bounded(row):
            half = max(row.time_hi_s - row.time_s, row.time_s - row.time_lo_s)
            entry["range"] = f"\u00b1 {number_text(_ns(half))}"
            extra.insert(0, f"95 % from {seconds_text(row.time_lo_s)} to {seconds_text(row.time_hi_s)}")
        entries.append(entry | {"extra": "\n".join(extra)})
    return json.dumps(entries, indent=1, allow_nan=False) + "\n"


def as_bencher(cells: pd.DataFrame) -> str:
    """Bencher Metric Format (bencher.dev, reference): name -> ``latency`` -> value and its bounds.

    Bencher's adapter is ``json``.
    """
    found: dict[str, dict[str, dict[str, float]]] = {}
    for name, row in _named(cells):
        latency = {"value": _ns(row.time_s)}
        if _bounded(row):
            latency |= {"lower_value": _ns(row.time_lo_s), "upper_value": _ns(row.time_hi_s)}
        found[name] = {"latency": latency}
    return json.dumps(found, indent=1, allow_nan=False) + "\n"


def _named(cells: pd.DataFrame) -> Iterator[tuple[str, Any]]:
    """The timed candidates and baselines under their names.  UsageError for a name that two of them have."""
    seen: set[str] = set()
    timed = cells["status"].isin(TIMED) & cells["role"].isin(COMPETING)
    for row in cells[timed].itertuples(index=False):
        name = cell_name(row)
        if name in seen:
            raise UsageError(
                f"NEW has two cells called {name}, which no dashboard can tell apart; remove one"
            )
        seen.add(name)
        yield name, row


def _ns(seconds: float) -> float:
    return float(seconds) * 1e9


def _bounded(row: Any) -> bool:
    return math.isfinite(row.time_lo_s) and math.isfinite(row.time_hi_s)
