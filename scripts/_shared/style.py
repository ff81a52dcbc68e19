"""What all charts share: the theme, axes, the words of a tooltip, and how numbers are written on an axis."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import altair as alt

from scripts._shared.drawn_arms import Arm

__all__ = [
    "PAPER",
    "SECONDS_LABEL",
    "SHADES",
    "SIZE_LABEL",
    "Layers",
    "color_of",
    "dash_of",
    "decades",
    "seconds_axis",
    "shape_of",
    "theme",
    "tips",
]

Layers = alt.LayerChart | alt.FacetChart  # as Altair has it; none of ours is the latter
PAPER = {"light": "#ffffff", "dark": "#16181c"}
"""The page's background, as in page.css."""

SHADES = ("#12436D", "#5B8DB8", "#A9BFD3")
DARK_SHADES = ("#DCE8F2", "#7FB0DA", "#3F76A8")
"""For what is no backend: placements, phases, runs. One hue, since the others belong to backends."""

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
_SANS = "Liberation Sans, Arial, Helvetica, sans-serif"  # of one width: a figure is the same on every machine


def theme(*, dark: bool) -> dict[str, Any]:
    """The Vega-Lite config: calm axes, and the colours that depend on the background."""
    paper = PAPER["dark" if dark else "light"]
    ink, muted, line = ("#e8e8e6", "#a3a6ab", "#3a3d43") if dark else ("#1d1f23", "#5f6368", "#dfe1e5")
    middle = "#2b2e34" if dark else "#f1f1ef"
    diverging = (
        ("#b4530f", "#7a4526", "#2c5f86", "#1f78b4") if dark else ("#b04a00", "#e39a63", "#6aa9d6", "#00578a")
    )
    quiet = {"labelColor": muted, "titleColor": muted, "labelFont": _SANS, "titleFont": _SANS}
    params = {"ink": ink, "muted": muted, "paper": paper}
    return {
        "background": paper,
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
            "ordinal": list(DARK_SHADES if dark else SHADES),
        },
    }


def decades(label: str, title: str, *, told: Sequence[int] = (1, 2, 5)) -> alt.Axis:
    """An axis of a logarithmic scale with lines and labels at these multiples of powers of ten only."""
    mantissa = "datum.value / pow(10, floor(log(datum.value) / LN10 + 1e-9))"
    shown = f"indexof({list(told)}, round(1e6 * {mantissa}) / 1e6) >= 0"
    faint: Any = alt.condition(shown, alt.value(1), alt.value(0))
    return alt.Axis(labelExpr=f"{shown} ? {label} : ''", title=title, gridOpacity=faint, tickOpacity=faint)


def seconds_axis(title: str, *, log: bool) -> tuple[alt.Scale, alt.Axis]:
    """The scale and the axis of times: logarithmic, or linear around what differs.  No label is cut or touches one."""
    if log:
        axis = decades(SECONDS_LABEL, title, told=(1, 2, 3, 5, 7))
        axis.labelBound, axis.labelSeparation = True, 5
        return alt.Scale(type="log", nice=False, padding=12), axis
    scale = alt.Scale(zero=False, nice=False, padding=12)
    return scale, alt.Axis(labelExpr=SECONDS_LABEL, title=title, tickCount=5, labelBound=True)


def tips(*fields: str) -> list[alt.Tooltip]:
    """A tooltip that shows these fields of a record."""
    return [alt.Tooltip(f"{name}:N", title=name) for name in fields]


def color_of(arms: Sequence[Arm]) -> alt.Color:
    """Each arm in its colour, without a legend."""
    domain, colors = [arm.name for arm in arms], [arm.color for arm in arms]
    return alt.Color("arm:N", scale=alt.Scale(domain=domain, range=colors), legend=None)


def shape_of(arms: Sequence[Arm]) -> alt.Shape:
    """Each arm in its shape, without a legend."""
    domain, shapes = [arm.name for arm in arms], [arm.shape for arm in arms]
    return alt.Shape("arm:N", scale=alt.Scale(domain=domain, range=shapes), legend=None)


def dash_of(arms: Sequence[Arm]) -> alt.StrokeDash:
    """Each arm in its dashes, without a legend."""
    domain, dashes = [arm.name for arm in arms], [list(arm.dash) for arm in arms]
    return alt.StrokeDash("arm:N", scale=alt.Scale(domain=domain, range=dashes), legend=None)
