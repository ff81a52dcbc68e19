"""Intervals as lines that end with the panel, where they are far wider than what differs: an axis is for the estimates.

Records have the ends of their interval (`lo`, `hi`), what of it is drawn (`from`, `to`), and whether it goes on
(`below`, `beyond`), which an arrow says.  The page has the same rule (whiskers.js in scripts/_report/assets).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import altair as alt
import numpy as np

from scripts._shared.drawing import digits

__all__ = ["BEYOND", "Along", "arrow", "named", "whisker", "whiskered"]

BELOW, BEYOND = "below", "beyond"
"""Fields of a record; and the names of the datasets that have those of which they are true."""
_FAR = 2.0
"""An end that is within this factor of the least or the largest estimate is drawn where it is."""
_MARGIN = 0.06
"""How far a line that goes on reaches beyond all others, as a share of the axis, which is logarithmic,"""
_LEAST_MARGIN = 1.02
"""and as a factor at least."""

Record = dict[str, Any]
Along = Callable[[str], alt.X | alt.Y]


def whiskered(records: Sequence[Record]) -> list[Record]:
    """The `records` (y, lo, hi, all positive; an end that is not known is NaN, one without end 0 or inf) as drawn."""
    ys, los, his = (np.array([record[key] for record in records], float) for key in ("y", "lo", "hi"))
    los, his = np.where(np.isnan(los), ys, los), np.where(np.isnan(his), ys, his)
    below, over = los < ys.min() / _FAR, his > ys.max() * _FAR
    bottom, top = los[~below].min(initial=ys.min()), his[~over].max(initial=ys.max())
    margin = max((top / bottom) ** _MARGIN, _LEAST_MARGIN)
    starts, stops = np.where(below, bottom / margin, los), np.where(over, top * margin, his)
    return [
        {key: value for key, value in record.items() if key not in ("lo", "hi")}
        | {"from": digits(starts[i]), "to": digits(stops[i])}
        | {BELOW: bool(below[i]), BEYOND: bool(over[i])}
        for i, record in enumerate(records)
    ]


def whisker(base: alt.Chart, along: Along, *, width: float) -> list[alt.Chart]:
    """The lines from ``from`` to ``to``, and their arrows; `along` makes the channel of a field."""
    start, stop = along("from"), along("to")
    line = base.mark_rule(strokeWidth=width, opacity=0.75)
    if isinstance(start, alt.Y) and isinstance(stop, alt.Y):
        line, first, last = line.encode(y=start, y2="to:Q"), base.encode(y=start), base.encode(y=stop)
        return [line, arrow(first, BELOW, "triangle-down"), arrow(last, BEYOND, "triangle-up")]
    assert isinstance(start, alt.X), "there are two directions"
    assert isinstance(stop, alt.X), "both ends lie in the same one"
    line, first, last = line.encode(x=start, x2="to:Q"), base.encode(x=start), base.encode(x=stop)
    return [line, arrow(first, BELOW, "triangle-left"), arrow(last, BEYOND, "triangle-right")]


def arrow(base: alt.Chart, records: str, shape: str, above_px: int = 0) -> alt.Chart:
    """One for each of the `records` of that name: a scale of which a layer has none would be told nothing by it."""
    chart: alt.Chart = base.mark_point(shape=shape, filled=True, size=60, opacity=1, yOffset=-above_px)
    chart.data = alt.NamedData(records)
    return chart


def named(points: Sequence[Record]) -> dict[str, list[Record]]:
    """The datasets of a chart with these lines: all of its records, and those that have arrows."""
    going_on = {where: [record for record in points if record[where]] for where in (BELOW, BEYOND)}
    return {"points": list(points), **going_on}
