"""The charts over sizes, defined once: the page fills in rows for what its reader chose, SVG files rows of one case.

Every chart reads records under the names of `POINTS`, `ENDS` and `CHOSEN`, whose fields are listed there.
Widths follow the container; what differs in the dark stands in the theme, not in a chart.
"""

from __future__ import annotations

from collections.abc import Sequence

import altair as alt

from scripts._shared.drawn_arms import Arm
from scripts._shared.style import (
    SECONDS_LABEL,
    SIZE_LABEL,
    Layers,
    color_of,
    dash_of,
    decades,
    shape_of,
    tips,
)
from scripts._shared.whiskers import BEYOND, arrow, whisker

__all__ = ["CEILING", "CHOSEN", "ENDS", "ONE", "POINTS", "SHIFT_PX", "SIZES", "heat", "noise", "over_size"]

POINTS = "points"
"""Records of one arm at one size: arm, n, x, y, interval (see `whiskers`), noisy (hollow), and text for the tooltip.

`x` is where it is drawn: `n`, moved by a few pixels (`SHIFT_PX`), so that arms that coincide can be told apart."""
CEILING = "ceiling"
"""Records of the line that nobody can be expected to pass: n and y."""
ENDS = "ends"
"""The names at the ends of lines: arm ("" for the ceiling), n, y (moved apart where they would collide), label."""
ONE = "one"
"""One record with y = 1: where two times are the same."""
CHOSEN = "chosen"
"""One record with the size that is marked: n; none where no size is."""
SIZES = "sizes"
"""The parameter with the sizes that were measured: they are the ticks, not round numbers between them."""
SHIFT_PX = 2.5
"""From one arm to the next, at the same size."""

_SPEEDUP_LABEL = "format(pow(2, datum.value), '.2~r') + 'x'"


def over_size(arms: Sequence[Arm], quantity: str, *, label_size: int = 11) -> Layers:
    """`quantity` ("gb_per_s" or "seconds") over size, log-log, with 95 % intervals, ceiling, and names at the ends."""
    seconds = quantity == "seconds"
    title = "time per call" if seconds else "bandwidth (GB/s)"
    axis = decades(SECONDS_LABEL if seconds else "format(datum.value, '~r')", title)
    scale = alt.Scale(type="log", nice=False, padding=8)

    def along(field: str) -> alt.Y:
        return alt.Y(f"{field}:Q", scale=scale, axis=axis)

    y = along("y")
    base = alt.Chart(alt.NamedData(POINTS)).encode(x=_sizes("x"), color=color_of(arms))
    lines = base.mark_line(strokeWidth=1.75).encode(y=y, strokeDash=dash_of(arms))
    points = _points(base, arms).encode(
        y=y, tooltip=tips("arm", "size", "time", "bandwidth", "speed-up", "status")
    )
    named = alt.condition("datum.arm === ''", alt.value(alt.ExprRef("muted")), color_of(arms))
    names = (
        alt.Chart(alt.NamedData(ENDS))
        .mark_text(align="left", dx=15, fontSize=label_size)
        .encode(x=_sizes(), y=y, text="label:N", color=named)
    )
    layers = (_chosen(), _ceiling(y), *whisker(base, along, width=1.5), lines, points, names)
    return alt.layer(*layers).add_params(alt.param(name=SIZES, value=[]))


def noise(arms: Sequence[Arm]) -> Layers:
    """Half of each 95 % interval over size, an arrow where it is `beyond`; `CEILING` holds the largest noise floor."""
    axis = decades("format(datum.value, '~%')", "half of the 95 % interval")
    y = alt.Y("y:Q", scale=alt.Scale(type="log", nice=False, padding=8), axis=axis)
    base = alt.Chart(alt.NamedData(POINTS)).encode(x=_sizes("x"), y=y, color=color_of(arms))
    points = _points(base, arms).encode(tooltip=tips("arm", "size", "interval", "noise floor", "status"))
    more = arrow(base, BEYOND, "triangle-up", above_px=10)
    return alt.layer(_chosen(), _ceiling(y), points, more).add_params(alt.param(name=SIZES, value=[]))


def heat(value: str, legend: str, *, upright: bool = False) -> Layers:
    """Arms and sizes as squares: ``speedup`` (blue is faster) or ``fastest`` (green).

    Sizes go from left to right, or (`upright`) from top to bottom, for a narrow screen.  Records: arm, size, place (the
    size's rank), y (log2 of the speed-up; 1 in the fastest set, less where that is not known), label, strong (whether
    the label stands on a dark square), and text for the tooltip.
    """
    speedup = value == "speedup"
    scale = (
        alt.Scale(range="diverging", domain=[-3, 3], domainMid=0, clamp=True, interpolate="lab")
        if speedup
        else alt.Scale(range="ramp", domain=[0, 1])
    )
    values = [-3, -2, -1, 0, 1, 2, 3]
    key = alt.Legend(
        title=legend, orient="bottom", gradientLength=180, labelExpr=_SPEEDUP_LABEL, values=values
    )
    x, y = _squares(upright=upright)
    base = alt.Chart(alt.NamedData(POINTS)).encode(
        x=x,
        y=y,
        tooltip=tips("arm", "size", "time", "speed-up", "verdict", "over leader", "status"),
    )
    squares = base.mark_rect(stroke=alt.ExprRef("paper"), strokeWidth=2).encode(
        color=alt.Color("y:Q", scale=scale, legend=key if speedup else None)
    )
    text = base.mark_text(fontSize=10 if upright else 11.5).encode(
        text="label:N",
        color=alt.condition("datum.strong", alt.value("white"), alt.value(alt.ExprRef("ink"))),
    )
    return alt.layer(squares, text).properties(height=alt.Step(30))


def _squares(*, upright: bool) -> tuple[alt.X, alt.Y]:
    ranked = alt.SortField("place")
    if upright:
        names = alt.Axis(orient="top", labelAngle=-90, labelLimit=130)
        return alt.X("arm:N", sort=None, title=None, axis=names), alt.Y("size:N", sort=ranked, title=None)
    across = alt.Axis(orient="top", labelAngle=0)
    sizes = alt.X("size:N", sort=ranked, title="elements", axis=across)
    return sizes, alt.Y("arm:N", sort=None, title=None)


def _chosen() -> alt.Chart:
    rule = alt.Chart(alt.NamedData(CHOSEN)).mark_rule(strokeWidth=9, opacity=0.16, color=alt.ExprRef("muted"))
    chart: alt.Chart = rule.encode(x=_sizes())
    return chart


def _ceiling(y: alt.Y) -> alt.Chart:
    base = alt.Chart(alt.NamedData(CEILING)).encode(x=_sizes(), y=y)
    line: alt.Chart = base.mark_line(strokeDash=[7, 4], strokeWidth=2, color=alt.ExprRef("muted"))
    return line


def _points(base: alt.Chart, arms: Sequence[Arm]) -> alt.Chart:
    points: alt.Chart = base.mark_point(size=52, strokeWidth=1.75, opacity=1).encode(
        shape=shape_of(arms),
        fill=color_of(arms),
        fillOpacity=alt.condition("datum.noisy", alt.value(0.0), alt.value(1.0)),
    )
    return points


def _sizes(field: str = "n") -> alt.X:
    values = alt.ExprRef(SIZES)
    axis = alt.Axis(
        labelExpr=SIZE_LABEL, title="elements", values=values, grid=False, labelFlush=False, labelOverlap=True
    )
    return alt.X(f"{field}:Q", scale=alt.Scale(type="log", base=2, nice=False, padding=14), axis=axis)
