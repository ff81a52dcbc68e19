"""The figures as files: the page's own chart definitions with the rows of one case, on white.

The same cells give the same bytes everywhere: the font is one that the renderer brings along, and no mark is
clipped (the ids of clip paths are counted from one chart to the next).
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from bench.stats.fastest import COMPETING
from bench.stats.frames import group_ids
from bench.text.sizes import format_size
from bench.text.units import seconds_text
from kernels.api import AXIS_TABLE, PLACEMENTS
from scripts._report import bars, charts
from scripts._report.data import SLICE, FigureError, likeness, rows_of
from scripts._shared.drawing import digits, finished
from scripts._shared.drawn_arms import Arm, arms_of
from scripts._shared.remarks import axis_text, clean
from scripts._shared.whiskers import named, whiskered

__all__ = ["figures"]

_BESIDE = ("out", "new", "inplace")
_WIDTH, _HEIGHT = 600, 260
"""Of a panel: with names and axis it is no wider than GitHub shows it, so that its text stays legible."""
_LINE_PX = 14
"""Between two names."""
_PLACEMENT_FREE = tuple(name for name in SLICE if name != "placement")


def figures(cells: pd.DataFrame) -> dict[str, dict[str, Any]]:
    """The Vega-Lite specs of the figures, by file name without its suffix.

    `cells` are as `scripts._shared.summary.prepare` leaves them, of one run.  ``bandwidth``: over size, with the
    ceiling, one panel for each placement; ``allocation``: time at the largest size by placement.  Both show
    one case: relu forward float32 where there is such a one, else the nearest.

    Raises FigureError if the cells are of several runs, or nothing was timed.
    """
    runs = cells["run_id"].unique()
    if len(runs) > 1:
        raise FigureError(f"figures show one run, here are {len(runs):,}; name one")
    cells = _one_case(cells[cells["timed"] & (cells["role"].isin(COMPETING))])
    arms, code = arms_of(cells)
    cells = cells.assign(arm=[arms[place].name for place in code])
    return {"bandwidth": _bandwidth(cells, arms), "allocation": _allocation(cells, arms)}


def _one_case(cells: pd.DataFrame) -> pd.DataFrame:
    """The cells of all placements of the slice that is nearest to relu, forward, float32."""
    if cells.empty:
        raise FigureError("no figure to draw: nothing was timed")
    groups = group_ids(cells, _PLACEMENT_FREE)
    first = cells.iloc[np.unique(groups, return_index=True)[1]]
    alike = likeness(first)
    sizes = [cells["n"].to_numpy()[groups == number].max() for number in range(len(first))]
    best = max(range(len(first)), key=lambda number: (alike[number], sizes[number], -number))
    return cells.iloc[np.flatnonzero(groups == best)]


def _title(cells: pd.DataFrame, text: str, lines: str) -> dict[str, Any]:
    row = cells.iloc[0]
    first = ("device", "threads", "cache", "data", "layout")
    others = (
        axis.name
        for axis in AXIS_TABLE
        if not axis.always and axis.name not in (*first, "negative_slope") and row[axis.name] != ""
    )
    axes = [axis_text(name, row[name]) for name in (*first, *others)]
    case = f"{row['op']} {row['direction']}, {row['dtype']}, {', '.join(axes)}, {clean(row['machine'])}"
    return {"text": text, "subtitle": [lines, case], "offset": 14, "fontSize": 15, "subtitleFontSize": 11.5}


def _bandwidth(cells: pd.DataFrame, arms: list[Arm]) -> dict[str, Any]:
    present = [name for name in _BESIDE if (cells["placement"] == name).any()]
    titles = {"out": "into a given array (out)", "new": "allocating the result (new)", "inplace": "in place"}
    sizes = sorted(map(int, cells["n"].unique()))
    panels: list[dict[str, Any]] = []
    datasets: dict[str, Any] = {}
    for name in present:
        some = cells[cells["placement"] == name]
        panel = charts.over_size(arms, "gb_per_s", label_size=12).properties(
            width=_WIDTH, height=_HEIGHT, title=titles[name]
        )
        points, ceiling = _points(some, arms, sizes), _ceiling(some)
        sets = {**named(points), "ceiling": ceiling, "ends": _ends(points, ceiling), "chosen": []}
        datasets |= {f"{name}-{key}": records for key, records in sets.items()}
        panels.append(_renamed(panel.to_dict(), name))
    spec = {
        "params": [{"name": charts.SIZES, "value": sizes}],
        "vconcat": panels,
        "bounds": "flush",
        "spacing": 70,
        "datasets": datasets,
        "resolve": {"scale": {"y": "shared"}},
        "title": _title(
            cells,
            "Bandwidth over size",
            "Dashed: a copy of the same bytes. Bars: 95 % intervals; an arrow: it goes on. Hollow: noisy.",
        ),
    }
    return finished(spec)


_ONCE = ("$schema", "config", "params")  # belong to the whole figure


def _renamed(spec: Any, prefix: str) -> Any:
    """`spec` with its datasets under names of their own, so that two panels can differ."""
    if isinstance(spec, list):
        return [_renamed(item, prefix) for item in spec]
    if not isinstance(spec, dict):
        return spec
    result = {key: _renamed(value, prefix) for key, value in spec.items() if key not in _ONCE}
    data = result.get("data")
    if isinstance(data, dict) and "name" in data:
        result["data"] = {"name": f"{prefix}-{data['name']}"}
    return result


def _allocation(cells: pd.DataFrame, arms: list[Arm]) -> dict[str, Any]:
    """The least time of an arm decides its place."""
    largest = cells["n"].max()
    some = cells[cells["n"] == largest]
    names = [name for name in PLACEMENTS if (some["placement"] == name).any()]
    least = some.groupby("arm")["time_s"].min().to_dict()
    records = [
        {
            "arm": row.arm,
            "placement": row.placement,
            "y": digits(row.time_s),
            "lo": row.time_lo_s,
            "hi": row.time_hi_s,
            "label": "~" * (row.status == "noisy") + seconds_text(row.time_s).replace("us", "µs"),
        }
        for arm in sorted((arm.name for arm in arms if arm.name in least), key=lambda name: least[name])
        for row in rows_of(some[some["arm"] == arm])
    ]
    chart = bars.placements(names).properties(width=560)
    spec = chart.to_dict() | {
        "datasets": named(whiskered(records)),
        "title": _title(
            cells,
            f"What allocation costs at {format_size(int(largest))} elements",
            "The fastest on top. Lines: 95 % intervals; an arrow: it goes on. ~: noisy.",
        ),
    }
    return finished(spec)


def _points(cells: pd.DataFrame, arms: Sequence[Arm], sizes: Sequence[int]) -> list[dict[str, Any]]:
    doublings = charts.SHIFT_PX * np.log2(sizes[-1] / sizes[0]) / _WIDTH
    places = {arm.name: place - (len(arms) - 1) / 2 for place, arm in enumerate(arms)}
    records = [
        {
            "arm": row.arm,
            "n": int(row.n),
            "x": digits(row.n * 2 ** (places[row.arm] * doublings)),
            "y": digits(row.gb_per_s),
            "lo": row.gb_per_s * row.time_s / row.time_hi_s,
            "hi": row.gb_per_s * row.time_s / row.time_lo_s if row.time_lo_s else math.inf,
            "noisy": row.status == "noisy",
        }
        for row in rows_of(cells.sort_values(["arm", "n"]))
    ]
    return whiskered(records)


def _ceiling(cells: pd.DataFrame) -> list[dict[str, Any]]:
    limits = cells.groupby("n")["ceiling_gb_per_s"].max().dropna().reset_index()
    return [{"n": int(row.n), "y": digits(row.ceiling_gb_per_s)} for row in rows_of(limits)]


def _ends(points: Sequence[Mapping[str, Any]], ceiling: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """The names at the right, in the order of the lines' ends and moved apart where they would collide.

    The page has the same rule (`ends` in draw.js).
    """
    last = {record["arm"]: record["y"] for record in points}
    if ceiling:
        last["copy"] = ceiling[-1]["y"]
    values = np.log(
        [value for record in (*points, *ceiling) for value in (record["y"], record.get("from", record["y"]))]
    )
    gap = (values.max() - values.min()) * _LINE_PX / _HEIGHT
    names = sorted(last, key=lambda name: last[name])
    places = np.log([last[name] for name in names])
    for place in range(1, len(names)):
        places[place] = max(places[place], places[place - 1] + gap)
    above = max(values.max(), values.min() + gap * (len(names) - 1)) + gap
    for place in reversed(range(len(names))):
        above = places[place] = min(places[place], above - gap)
    right = max(record["n"] for record in points)
    return [
        {"arm": "" if name == "copy" else name, "n": right, "y": digits(float(np.exp(place))), "label": name}
        for name, place in zip(names, places, strict=True)
    ]
