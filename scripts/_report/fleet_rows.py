"""The page's table of machines beside each other: of each tensor that several have, what is fastest on which."""

from __future__ import annotations

from typing import Any, NamedTuple

import pandas as pd

from bench.text.sizes import format_size
from bench.text.units import MISSING, percent_text, ratio_text
from scripts._shared.fleet import ONLY_RATIOS, side_by_side
from scripts._shared.remarks import RARE_AXES, clean, varies
from scripts._shared.sections import title_of

__all__ = ["HEADERS", "FleetRows", "fleet_rows"]

HEADERS = ("machine", "fastest", "speed-up", "over", "of copy", "not known")
_MOST = 400
"""Rows on a page: more are not read."""


class FleetRows(NamedTuple):
    """Rows of text, the tensor first; `note` says what they are, and what is left out."""

    rows: list[tuple[str, ...]]
    note: str


def fleet_rows(cells: pd.DataFrame) -> FleetRows:
    """The rows of `cells`, as `scripts._shared.summary.ranked` leaves them; of one machine none."""
    frame = side_by_side(cells)
    rare = [axis for axis in RARE_AXES if axis != "machine" and varies(cells, axis)]
    rows = [_row(row, rare) for row in frame.head(_MOST).itertuples(index=False)]
    left = f" The first {_MOST:,} of {len(frame):,} rows." if len(frame) > _MOST else ""
    note = (
        f"What is fastest for which tensor on which machine, and how many times as fast as the baseline there:"
        f" {ONLY_RATIOS}. * marks the machine on which changing is worth most, beyond the intervals.{left}"
    )
    return FleetRows(rows, note)


def _row(row: Any, rare: list[str]) -> tuple[str, ...]:
    tensor = f"{title_of(row, ('op', 'direction', 'placement', 'dtype'), rare)} {format_size(row.n)}"
    speedup = f"{ratio_text(row.speedup, row.speedup_lo, row.speedup_hi)}{' *' * row.most}"
    names = [clean(text).replace("; ", ", ") or MISSING for text in (row.fastest, row.unresolved)]
    where = clean(row.machine) or MISSING
    over = clean(str(row.baseline)) or MISSING
    return (tensor, where, names[0], speedup, over, percent_text(row.ceiling_fraction), names[1])
