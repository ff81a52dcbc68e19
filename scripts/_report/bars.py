"""The charts with one row an arm: times at one size, their rounds, two runs, what happens once, placements."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import altair as alt

from scripts._report.charts import CEILING, ONE, POINTS
from scripts._shared.drawn_arms import Arm
from scripts._shared.style import (
    SECONDS_LABEL,
    SHADES,
    Layers,
    color_of,
    decades,
    seconds_axis,
    shape_of,
    tips,
)
from scripts._shared.whiskers import whisker

__all__ = ["beside", "changes", "dots", "ledger", "placements", "rounds"]


def dots(arms: Sequence[Arm], *, log: bool) -> Layers:
    """Seconds per call at one size, the fastest on top, with 95 % intervals; `CEILING` is the copy, one record.

    Records: arm, y, interval (see `whiskers`), noisy, label, and text for the tooltip.
    """
    scale, axis = seconds_axis("time per call", log=log)
    along = _along(scale, axis)
    x = along("y")
    base = _rows(arms)
    points = base.mark_point(size=85, strokeWidth=2, opacity=1).encode(
        x=x,
        shape=shape_of(arms),
        fill=color_of(arms),
        fillOpacity=alt.condition("datum.noisy", alt.value(0.0), alt.value(1.0)),
        tooltip=tips("arm", "time", "bandwidth", "speed-up", "verdict", "over leader", "status"),
    )
    text = alt.Chart(alt.NamedData(POINTS)).encode(x=x, y=alt.Y("arm:N", sort=None), text="label:N")
    halo = text.mark_text(dy=-12, fontSize=11, stroke=alt.ExprRef("paper"), strokeWidth=4)
    text = text.mark_text(dy=-12, fontSize=11, color=alt.ExprRef("ink"))
    copy = alt.Chart(alt.NamedData(CEILING)).mark_rule(
        strokeDash=[7, 4], strokeWidth=2, color=alt.ExprRef("muted")
    )
    name = alt.Chart(alt.NamedData(CEILING)).mark_text(
        align="left", baseline="bottom", dx=4, dy=-2, fontSize=11, color=alt.ExprRef("muted")
    )
    name = name.encode(x=x, y=alt.value(0), text=alt.value("copy"))
    return alt.layer(copy.encode(x=x), name, *whisker(base, along, width=2.5), points, halo, text).properties(
        height=alt.Step(36)
    )


def rounds(arms: Sequence[Arm], *, log: bool) -> Layers:
    """Every round as a tick, a row for each process.  Records: arm, process, y, and text for the tooltip."""
    scale, axis = seconds_axis("seconds per call, each round", log=log)
    base = _rows(arms).encode(
        yOffset=alt.YOffset("process:O"),
        x=alt.X("y:Q", scale=scale, axis=axis),
        tooltip=tips("arm", "process", "time"),
    )
    ticks = base.mark_tick(thickness=1.5, opacity=0.6, height=8)
    return alt.layer(ticks).properties(height=alt.Step(40))


def beside(*, log: bool) -> Layers:
    """Two runs or more at one size, a row for each.  Records: arm, run, y, interval, noisy, text for the tooltip."""
    scale, axis = seconds_axis("time per call", log=log)
    along = _along(scale, axis)
    x = along("y")
    key = alt.Legend(orient="top", title=None, labelLimit=300, columns=1)
    shades = alt.Scale(range="ordinal")
    run = alt.Color("run:N", sort=None, scale=shades, legend=None)
    base = alt.Chart(alt.NamedData(POINTS)).encode(
        y=alt.Y("arm:N", sort=None, title=None), yOffset=alt.YOffset("run:N", sort=None), color=run
    )
    points = base.mark_point(size=75, strokeWidth=2, opacity=1).encode(
        x=x,
        fill=alt.Fill("run:N", sort=None, scale=shades, legend=key),
        fillOpacity=alt.condition("datum.noisy", alt.value(0.0), alt.value(1.0)),
        tooltip=tips("arm", "run", "time", "status"),
    )
    return alt.layer(*whisker(base, along, width=2.5), points).properties(height=alt.Step(40))


def changes(*, log: bool) -> Layers:
    """The time in other runs over that in one, a row for each arm and run, with a line where nothing changed.

    Records: arm, run, place (of the run among those drawn by `beside`), y, interval, label, and text for the tooltip.
    """
    label = "format(datum.value, '.3~r') + 'x'"
    title = "time over that of the run chosen (above 1 is slower)"
    scale = alt.Scale(**({"type": "log"} if log else {"zero": False}), nice=False, padding=24)
    axis = decades(label, title) if log else alt.Axis(labelExpr=label, title=title, tickCount=5)
    shades = alt.Scale(domain=list(range(len(SHADES))), range="ordinal")
    along = _along(scale, axis)
    x = along("y")
    base = alt.Chart(alt.NamedData(POINTS)).encode(
        y=alt.Y("arm:N", sort=None, title=None),
        yOffset=alt.YOffset("run:N", sort=None),
        color=alt.Color("place:N", scale=shades, legend=None),
    )
    points = base.mark_point(size=75, strokeWidth=2, filled=True, opacity=1).encode(
        x=x, tooltip=tips("arm", "run", "ratio", "verdict", "would be seen")
    )
    named = base.encode(x=x, text="label:N", color=alt.value(alt.ExprRef("ink")))
    halo = named.mark_text(dy=-11, fontSize=11, stroke=alt.ExprRef("paper"), strokeWidth=4)
    text = named.mark_text(dy=-11, fontSize=11)
    one = alt.Chart(alt.NamedData(ONE)).mark_rule(
        strokeDash=[7, 4], strokeWidth=2, color=alt.ExprRef("muted")
    )
    return alt.layer(one.encode(x=x), *whisker(base, along, width=2.5), points, halo, text).properties(
        height=alt.Step(40)
    )


def ledger() -> Layers:
    """What happens once, per arm: import, first call and second call, from the least to the most over sizes.

    Records: arm, phase, y (the median), lo, hi.
    """
    phases = ["import", "first call", "second call"]
    key = alt.Legend(orient="top", title=None, symbolOpacity=1)
    scale = alt.Scale(domain=phases, range="ordinal")
    base = alt.Chart(alt.NamedData(POINTS)).encode(
        y=alt.Y("arm:N", sort=None, title=None),
        yOffset=alt.YOffset("phase:N", sort=phases),
        color=alt.Color("phase:N", scale=scale, legend=key),
    )
    axis = decades(SECONDS_LABEL, "seconds, once", told=(1,))
    x = alt.X("lo:Q", scale=alt.Scale(type="log", nice=False, padding=8), axis=axis)
    rule = base.mark_rule(strokeWidth=2, opacity=0.7).encode(x=x, x2="hi:Q")
    shape = alt.Shape("phase:N", scale=alt.Scale(domain=phases, range=["square", "circle", "triangle-up"]))
    points = base.mark_point(filled=True, size=70, opacity=1).encode(
        x=alt.X("y:Q", axis=axis), shape=shape, tooltip=tips("arm", "phase", "median", "range")
    )
    return alt.layer(rule, points).properties(height=alt.Step(34))


def placements(names: Sequence[str]) -> Layers:
    """Seconds by arm and placement (`names`), side by side.  Records: arm, placement, y, interval, label."""
    base = alt.Chart(alt.NamedData(POINTS)).encode(
        y=alt.Y("arm:N", sort=None, title=None), yOffset=alt.YOffset("placement:N", sort=list(names))
    )
    along = _along(alt.Scale(), alt.Axis(labelExpr=SECONDS_LABEL, title="time per call", tickCount=6))
    scale = alt.Scale(domain=list(names), range=list(SHADES[: len(names)]))
    key = alt.Legend(orient="top", title=None, labelExpr=_PLACEMENT_LABEL, labelLimit=300)
    bars = base.mark_bar().encode(
        x=along("y"), color=alt.Color("placement:N", scale=scale, sort=list(names), legend=key)
    )
    lines = whisker(base.encode(color=alt.value(alt.ExprRef("ink"))), along, width=1.5)
    text = base.mark_text(align="left", dx=8, fontSize=11, color=alt.ExprRef("ink")).encode(
        x=along("to"), text="label:N"
    )
    return alt.layer(bars, *lines, text).properties(height=alt.Step(17))


_PLACEMENT_LABEL = (
    "{new: 'new: the call allocates its result', out: 'out: into a given array', inplace: 'inplace'}"
    "[datum.label]"
)


def _along(scale: alt.Scale, axis: alt.Axis) -> Callable[[str], alt.X]:
    return lambda field: alt.X(f"{field}:Q", scale=scale, axis=axis)


def _rows(arms: Sequence[Arm]) -> alt.Chart:
    return alt.Chart(alt.NamedData(POINTS)).encode(
        y=alt.Y("arm:N", sort=None, title=None), color=color_of(arms)
    )
