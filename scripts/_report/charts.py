"""The charts, defined once: the page fills in rows for what its reader chose, the SVG files rows of one case.

Every chart reads records under the names of `POINTS` and `CEILING`, whose fields are listed there.
Widths follow the container; what differs in the dark stands in `theme`, not in a chart.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import altair as alt

from scripts._report.data import Arm

__all__ = [
    "CEILING",
    "POINTS",
    "SIZES",
    "Layers",
    "heat",
    "ledger",
    "noise",
    "over_size",
    "placements",
    "theme",
]

Layers = alt.LayerChart | alt.FacetChart  # as Altair has it; none of ours is the latter
POINTS = "points"
"""Records of one arm at one size: arm, n, y, lo, hi, noisy (hollow), and text for the tooltip."""
CEILING = "ceiling"
"""Records of the line that nobody can be expected to pass: n, y, and label ("" but at its end)."""
SIZES = "sizes"
"""The parameter with the sizes that were measured: they are the ticks, not round numbers between them."""

SIZE_LABEL = (
    "datum.value % 1073741824 == 0 ? datum.value / 1073741824 + 'Gi' :"
    " datum.value % 1048576 == 0 ? datum.value / 1048576 + 'Mi' :"
    " datum.value % 1024 == 0 ? datum.value / 1024 + 'Ki' : '' + datum.value"
)
SECONDS_LABEL = (
    "datum.value == 0 ? '0' : datum.value >= 0.9999 ? format(datum.value, '.3~r') + ' s' :"
    " datum.value >= 0.9999e-3 ? format(datum.value * 1e3, '.3~r') + ' ms' :"
    " datum.value >= 0.9999e-6 ? format(datum.value * 1e6, '.3~r') + ' µs' :"
    " format(datum.value * 1e9, '.3~r') + ' ns'"
)
_SPEEDUP_LABEL = "format(pow(2, datum.value), '.2~r') + 'x'"
_SANS = "Liberation Sans, Arial, Helvetica, sans-serif"  # of one width: a figure is the same on every machine


def over_size(arms: Sequence[Arm], quantity: str, *, legend: bool = False) -> Layers:
    """`quantity` ("gb_per_s" or "seconds") over size, log-log, with 95 % intervals and the ceiling."""
    seconds = quantity == "seconds"
    title = "time per call" if seconds else "bandwidth (GB/s)"
    axis = _decades(SECONDS_LABEL if seconds else "format(datum.value, '~r')", title)
    scale = alt.Scale(type="log", nice=False, padding=8)
    y, low = alt.Y("y:Q", scale=scale, axis=axis), alt.Y("lo:Q", scale=scale, axis=axis)
    base = alt.Chart(alt.NamedData(POINTS)).encode(x=_sizes(), color=_color(arms, legend=legend))
    band = base.mark_area(opacity=0.16).encode(y=low, y2="hi:Q")
    rule = base.mark_rule(strokeWidth=1.5).encode(y=low, y2="hi:Q")
    lines = base.mark_line(strokeWidth=1.75).encode(y=y, strokeDash=_dash(arms))
    points = base.mark_point(size=52, strokeWidth=1.75, opacity=1).encode(
        y=y,
        shape=_shape(arms, legend=legend),
        fill=_color(arms, legend=False),
        fillOpacity=alt.condition("datum.noisy", alt.value(0.0), alt.value(1.0)),
        tooltip=_tips("arm", "size", "time", "bandwidth", "speed-up", "status"),
    )
    return alt.layer(_ceiling(y), band, rule, lines, points).add_params(alt.param(name=SIZES, value=[]))


def _ceiling(y: alt.Y) -> Layers:
    base = alt.Chart(alt.NamedData(CEILING)).encode(x=_sizes(), y=y)
    line = base.mark_line(strokeDash=[7, 4], strokeWidth=2, color=alt.ExprRef("muted"))
    text = base.mark_text(align="left", dx=9, fontSize=11, color=alt.ExprRef("muted"))
    return alt.layer(line, text.encode(text="label:N"))


def heat(value: str, legend: str) -> Layers:
    """Arms over sizes as squares: ``speedup`` (blue is faster than the baseline) or ``fastest`` (green).

    Records: arm, size, place (the size's rank), y (log2 of the speed-up; 1 in the fastest set, less where that is not
    known), label, strong (whether the label stands on a dark square), and text for the tooltip.
    """
    base = alt.Chart(alt.NamedData(POINTS)).encode(
        x=alt.X(
            "size:N", sort=alt.SortField("place"), title="elements", axis=alt.Axis(orient="top", labelAngle=0)
        ),
        y=alt.Y("arm:N", sort=None, title=None),
        tooltip=_tips("arm", "size", "time", "speed-up", "verdict", "over leader", "status"),
    )
    speedup = value == "speedup"
    scale = (
        alt.Scale(range="diverging", domain=[-3, 3], domainMid=0, clamp=True, interpolate="lab")
        if speedup
        else alt.Scale(range="ramp", domain=[0, 1])
    )
    key = alt.Legend(
        title=legend,
        orient="bottom",
        gradientLength=180,
        labelExpr=_SPEEDUP_LABEL,
        values=[-3, -2, -1, 0, 1, 2, 3],
    )
    color = alt.Color("y:Q", scale=scale, legend=key if speedup else None)
    squares = base.mark_rect(stroke=alt.ExprRef("paper"), strokeWidth=2).encode(color=color)
    fit = alt.ExprRef("width / length(sizes) < 34 ? 0 : width / length(sizes) < 46 ? 9.5 : 11.5")
    text = base.mark_text(fontSize=fit).encode(
        text="label:N",
        color=alt.condition("datum.strong", alt.value("white"), alt.value(alt.ExprRef("ink"))),
    )
    return (
        alt.layer(squares, text).add_params(alt.param(name=SIZES, value=[])).properties(height=alt.Step(30))
    )


def ledger() -> Layers:
    """What happens once, per arm: import, first call and second call, from the least to the most over sizes.

    Records: arm, phase, y (the median), lo, hi.
    """
    phases = ["import", "first call", "second call"]
    key = alt.Legend(orient="top", title=None, symbolOpacity=1)
    scale = alt.Scale(domain=phases, range=["#56B4E9", "#D55E00", "#808080"])
    base = alt.Chart(alt.NamedData(POINTS)).encode(
        y=alt.Y("arm:N", sort=None, title=None),
        yOffset=alt.YOffset("phase:N", sort=phases),
        color=alt.Color("phase:N", scale=scale, legend=key),
    )
    axis = _decades(SECONDS_LABEL, "seconds, once", fine=False)
    x = alt.X("lo:Q", scale=alt.Scale(type="log", nice=False, padding=8), axis=axis)
    rule = base.mark_rule(strokeWidth=2, opacity=0.7).encode(x=x, x2="hi:Q")
    shape = alt.Shape("phase:N", scale=alt.Scale(domain=phases, range=["square", "circle", "triangle-up"]))
    points = base.mark_point(filled=True, size=70, opacity=1).encode(
        x=alt.X("y:Q", axis=axis), shape=shape, tooltip=_tips("arm", "phase", "median", "range")
    )
    return alt.layer(rule, points).properties(height=alt.Step(34))


def noise(arms: Sequence[Arm]) -> Layers:
    """Half of each 95 % interval over size; `CEILING` holds the largest noise floor."""
    axis = _decades("format(datum.value, '~%')", "half of the 95 % interval")
    y = alt.Y("y:Q", scale=alt.Scale(type="log", nice=False, padding=8), axis=axis)
    base = alt.Chart(alt.NamedData(POINTS)).encode(x=_sizes(), y=y, color=_color(arms, legend=False))
    points = base.mark_point(size=52, strokeWidth=1.75, opacity=1).encode(
        shape=_shape(arms, legend=False),
        fill=_color(arms, legend=False),
        fillOpacity=alt.condition("datum.noisy", alt.value(0.0), alt.value(1.0)),
        tooltip=_tips("arm", "size", "interval", "noise floor", "status"),
    )
    return alt.layer(_ceiling(y), points).add_params(alt.param(name=SIZES, value=[]))


def placements(names: Sequence[str]) -> Layers:
    """Seconds by arm and placement (`names`), side by side.  Records: arm, placement, y, lo, hi, label."""
    colors = {"new": "#D55E00", "out": "#56B4E9", "inplace": "#009E73"}
    base = alt.Chart(alt.NamedData(POINTS)).encode(
        y=alt.Y("arm:N", sort=None, title=None), yOffset=alt.YOffset("placement:N", sort=list(names))
    )
    axis = alt.Axis(labelExpr=SECONDS_LABEL, title="time per call", tickCount=6)
    scale = alt.Scale(domain=list(names), range=[colors[name] for name in names])
    key = alt.Legend(orient="top", title=None, labelExpr=_PLACEMENT_LABEL, labelLimit=300)
    bars = base.mark_bar().encode(
        x=alt.X("y:Q", axis=axis), color=alt.Color("placement:N", scale=scale, sort=list(names), legend=key)
    )
    rule = base.mark_rule(strokeWidth=1.5, color=alt.ExprRef("ink")).encode(x="lo:Q", x2="hi:Q")
    text = base.mark_text(align="left", dx=6, fontSize=11, color=alt.ExprRef("ink")).encode(
        x="hi:Q", text="label:N"
    )
    return alt.layer(bars, rule, text).properties(height=alt.Step(17))


_PLACEMENT_LABEL = (
    "{new: 'new: the call allocates its result', out: 'out: into a given array', inplace: 'inplace'}"
    "[datum.label]"
)


def theme(*, dark: bool, paper: str | None = None) -> dict[str, Any]:
    """The Vega-Lite config: calm axes, and the colours that depend on the background (`paper`: none)."""
    ink, muted, line = ("#e8e8e6", "#a3a6ab", "#3a3d43") if dark else ("#1d1f23", "#5f6368", "#dfe1e5")
    middle = "#2b2e34" if dark else "#f1f1ef"
    diverging = (
        ("#b4530f", "#7a4526", "#2c5f86", "#1f78b4") if dark else ("#b04a00", "#e39a63", "#6aa9d6", "#00578a")
    )
    quiet = {"labelColor": muted, "titleColor": muted, "labelFont": _SANS, "titleFont": _SANS}
    params = {"ink": ink, "muted": muted, "paper": paper or ("#16181c" if dark else "#ffffff")}
    return {
        "background": paper or "transparent",
        "font": _SANS,
        "params": [{"name": name, "value": value} for name, value in params.items()],
        "view": {"stroke": None},
        "axis": {
            **quiet,
            **{"gridColor": line, "domainColor": line, "tickColor": line, "labelFontSize": 11},
            **{"titleFontSize": 11, "titleFontWeight": "normal", "titlePadding": 8, "labelLimit": 150},
        },
        "axisBand": {"grid": False, "domain": False, "ticks": False, "labelPadding": 6},
        "legend": {
            **quiet,
            "labelColor": ink,
            "labelFontSize": 11,
            "titleFontSize": 11,
            "titleFontWeight": "normal",
        },
        "title": {
            "color": ink,
            "font": _SANS,
            "subtitleColor": muted,
            "subtitleFont": _SANS,
            "anchor": "start",
        },
        "header": {"labelColor": ink, "titleColor": muted, "labelFont": _SANS},
        "range": {
            "diverging": [*diverging[:2], middle, *diverging[2:]],
            "ramp": [middle, "#00795a"],
        },
    }


def _decades(label: str, title: str, *, fine: bool = True) -> alt.Axis:
    """An axis of a logarithmic scale with lines and labels at 1, 2 and 5 only (`fine`), or at 1 only."""
    round_ones = [1, 2, 5] if fine else [1]
    mantissa = "datum.value / pow(10, floor(log(datum.value) / LN10 + 1e-9))"
    told = f"indexof({round_ones}, round(1e6 * {mantissa}) / 1e6) >= 0"
    faint: Any = alt.condition(told, alt.value(1), alt.value(0))
    return alt.Axis(labelExpr=f"{told} ? {label} : ''", title=title, gridOpacity=faint, tickOpacity=faint)


def _sizes() -> alt.X:
    values = alt.ExprRef(SIZES)
    axis = alt.Axis(
        labelExpr=SIZE_LABEL, title="elements", values=values, grid=False, labelFlush=False, labelOverlap=True
    )
    return alt.X("n:Q", scale=alt.Scale(type="log", base=2, nice=False, padding=14), axis=axis)


def _color(arms: Sequence[Arm], *, legend: bool) -> alt.Color:
    scale = alt.Scale(domain=[arm.name for arm in arms], range=[arm.color for arm in arms])
    return alt.Color("arm:N", scale=scale, legend=_key(legend))


def _shape(arms: Sequence[Arm], *, legend: bool) -> alt.Shape:
    scale = alt.Scale(domain=[arm.name for arm in arms], range=[arm.shape for arm in arms])
    return alt.Shape("arm:N", scale=scale, legend=_key(legend))


def _dash(arms: Sequence[Arm]) -> alt.StrokeDash:
    scale = alt.Scale(domain=[arm.name for arm in arms], range=[list(arm.dash) for arm in arms])
    return alt.StrokeDash("arm:N", scale=scale, legend=None)


def _key(shown: bool) -> alt.Legend | None:
    return alt.Legend(orient="bottom", title=None, columns=4, symbolOpacity=1) if shown else None


def _tips(*fields: str) -> list[alt.Tooltip]:
    return [alt.Tooltip(f"{name}:N", title=name) for name in fields]
