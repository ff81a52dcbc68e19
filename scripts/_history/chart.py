"""The times of one case over runs, as a chart."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import altair as alt
import pandas as pd

from bench.plan.experiments import case_label
from bench.records.columns import TIMED
from scripts._history.said import History, day_of, name_of
from scripts._shared.drawing import digits, finished
from scripts._shared.drawn_arms import Arm, arms_of
from scripts._shared.style import Layers, seconds_axis
from scripts._shared.whiskers import named, whisker, whiskered

__all__ = ["spec_of"]

_STEP, _HEIGHT = 42, 320
"""Pixels between two runs, and of the plot."""
_LEAST_WIDTH = 320
_WIDE = 4.0
"""Times that differ by more are drawn on a logarithmic axis."""
_MOST_LABELS = 40
"""Runs that are all named; of more, as many as there is room for."""


def spec_of(history: History) -> dict[str, Any]:
    """The Vega-Lite spec: a line for each arm with 95 % intervals, and a rule where a change begins."""
    cells = pd.concat(
        [run.cells.assign(run=number) for number, run in enumerate(history.runs)], ignore_index=True
    )
    cells = cells[cells["status"].isin(TIMED)].astype(dict.fromkeys(("backend", "variant"), str))
    who = zip(cells["backend"], cells["variant"], strict=True)
    cells = cells[[arm in history.courses for arm in who]]
    arms, code = arms_of(cells.assign(role="candidate"))
    rows: Iterator[Any] = cells.itertuples(index=False)
    records = [
        {
            "arm": arms[place].name,
            "run": int(row.run),
            "y": digits(row.time_s),
            "lo": row.time_lo_s,
            "hi": row.time_hi_s,
            "noisy": row.status == "noisy",
        }
        for place, row in zip(code, rows, strict=True)
    ]
    changes = [
        {"run": change.first - 0.5, "arm": name_of(arm)}
        for arm, course in history.courses.items()
        for change in course.changes
    ]
    points = whiskered(records)
    ends = [point[name] for point in points for name in ("from", "to")]
    chart = _chart(history, arms, wide=max(ends) > _WIDE * min(ends))
    chart = chart.properties(
        width=max(_STEP * len(history.runs), _LEAST_WIDTH), height=_HEIGHT, title=_title(history)
    )
    return finished(chart.to_dict() | {"datasets": {**named(points), "changes": changes}})


def _chart(history: History, arms: list[Arm], *, wide: bool) -> Layers:
    x = _runs_axis(history)
    scale, axis = seconds_axis("time per call", log=wide)

    def along(field: str) -> alt.Y:
        return alt.Y(f"{field}:Q", scale=scale, axis=axis)

    y = along("y")
    names = [arm.name for arm in arms]
    key = alt.Legend(title=None, orient="right", labelLimit=220, symbolOpacity=1)
    colors = alt.Scale(domain=names, range=[arm.color for arm in arms])
    color = alt.Color("arm:N", scale=colors, legend=key)
    shape = alt.Shape("arm:N", scale=alt.Scale(domain=names, range=[arm.shape for arm in arms]), legend=key)
    fill = alt.Fill("arm:N", scale=colors, legend=None)
    dash = alt.Scale(domain=names, range=[list(arm.dash) for arm in arms])
    base = alt.Chart(alt.NamedData("points")).encode(x=x, color=color)
    filled = alt.condition("datum.noisy", alt.value(0.0), alt.value(1.0))
    since = alt.Chart(alt.NamedData("changes")).mark_rule(strokeDash=[5, 3], strokeWidth=1.5)
    return alt.layer(
        since.encode(x=x, color=color),
        *whisker(base, along, width=1.5),
        base.mark_line(strokeWidth=1.5).encode(
            y=y, strokeDash=alt.StrokeDash("arm:N", scale=dash, legend=None)
        ),
        base.mark_point(size=52, opacity=1).encode(y=y, shape=shape, fill=fill, fillOpacity=filled),
    )


def _runs_axis(history: History) -> alt.X:
    labels = [f"{run.run_id} {day_of(run)[:10]}" for run in history.runs]
    axis = alt.Axis(
        labelExpr=f"{json.dumps(labels)}[datum.value]",
        title=None,
        values=list(range(len(labels))),
        labelAngle=-40,
        labelLimit=260,
        labelOverlap=len(labels) > _MOST_LABELS,
        grid=False,
    )
    return alt.X("run:Q", scale=alt.Scale(domain=[-0.5, len(labels) - 0.5], nice=False), axis=axis)


def _title(history: History) -> dict[str, Any]:
    lines = [
        "Lines: 95 % intervals; an arrow: it goes on. Hollow: noisy."
        " Dashed: from here on that one is slower or faster."
    ]
    machine = history.runs[0].machine
    return {
        "text": f"{case_label(history.case)} on {machine}" if machine else case_label(history.case),
        "subtitle": lines,
        "offset": 14,
        "fontSize": 15,
        "subtitleFontSize": 11.5,
    }
