"""The figures of the page, as SVG: white background, Okabe-Ito colours, and a dash or shape beside each colour."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd

from scripts._claims.model import Point

__all__ = ["ALT", "as_svg"]

_COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7")
"""Okabe & Ito, Color Universal Design, 2008: blue, vermillion, bluish green, reddish purple."""
_DASHES = ([1, 0], [6, 3], [2, 2], [8, 3, 2, 3])
_SHAPES = ("circle", "square", "triangle-up", "diamond")


_NEAR = "f(x) left of 0, magnified"
_SMALL = 0.05
"""What is drawn there: a slope of 0.01 reaches to -0.04 at -4."""


@dataclass(frozen=True, slots=True)
class _Look:
    x: str
    y: str
    series: str
    log_x: bool = False
    log_y: bool = False
    share: bool = False
    marks: bool = True

    @property
    def y_format(self) -> str:
        """In the notation of d3-format."""
        return "~%" if self.share else "~e" if self.log_y else "~g"


_LOOKS: Mapping[str, _Look] = {
    "curves": _Look("x", "", "function", marks=False),
    "gradients": _Look("layers", "gradient at the input / at the output", "activation", log_y=True),
    "born_dead": _Look("layers", "share of networks born dead", "network", share=True),
    "dead_units": _Look("learning rate", "share", "activation", log_x=True, share=True),
}
ALT: Mapping[str, str] = {
    "curves": "Left: relu, leaky_relu, tanh and sigmoid from -4 to 4. Middle: the same left of 0, magnified: relu is "
    "0, leaky_relu falls below it. Right: their derivatives; relu's is 0 left of 0 "
    "and 1 right of it, leaky_relu's is its slope left of 0, those of tanh and sigmoid fall to 0 on both sides.",
    "gradients": "Share of a gradient that arrives at the input by number of layers, a line per activation with the "
    "range over seeds, logarithmic scale; left with He initialisation, right with Glorot initialisation.",
    "born_dead": "Share of random relu networks that are born dead by number of layers, a line per width with the "
    "range over seeds.",
    "dead_units": "Left: share of relu units that are dead after training by learning rate, with the range over seeds. "
    "Right: share of runs that diverged, relu and leaky_relu.",
}
"""What each figure shows, for those who cannot see it; no numbers, which would go stale."""


def as_svg(name: str, points: Sequence[Point]) -> str:
    """Figure `name` as SVG text.  Raises ImportError if altair or vl-convert-python is missing."""
    import altair as alt  # noqa: PLC0415  # slow, and only figures need it
    import vl_convert  # noqa: PLC0415

    look = _LOOKS[name]
    frame = pd.DataFrame([dataclasses.asdict(point) for point in points])
    panels = list(dict.fromkeys(frame["panel"]))
    names = list(dict.fromkeys(frame["series"]))
    if name == "curves":
        frame, panels = _magnified(frame, panels[0]), [panels[0], _NEAR, *panels[1:]]
    charts = [
        _panel(alt, frame[frame["panel"] == panel], look, names).properties(
            title=panel if len(panels) > 1 else ""
        )
        for panel in panels
    ]
    both = alt.hconcat(*charts).resolve_scale(y="shared" if look.log_y else "independent")
    chart = both.configure(background="white", font="sans-serif").configure_view(stroke=None)
    return str(vl_convert.vegalite_to_svg(chart.to_dict()))


def _magnified(frame: pd.DataFrame, panel: str) -> pd.DataFrame:
    """`frame` with one more panel: that one left of 0, for what is as small there as leaky_relu's slope."""
    small = (frame["panel"] == panel) & (frame["x"] <= 0) & (frame["median"].abs() <= _SMALL)
    return pd.concat([frame, frame[small].assign(panel=_NEAR)], ignore_index=True)


def _panel(alt: Any, frame: pd.DataFrame, look: _Look, names: Sequence[str]) -> Any:
    """One panel; `names` are the series of all panels, so that a colour means the same in each."""

    def channel(kind: Any, values: Sequence[Any]) -> Any:
        scale = alt.Scale(domain=list(names), range=list(values[: len(names)]))
        legend = alt.Legend(symbolOpacity=1, **({"symbolDash": [1, 0]} if look.marks else {}))
        return kind("series:N", sort=list(names), title=look.series, scale=scale, legend=legend)

    ticks = sorted(frame["x"].unique()) if look.marks else []
    x_axis = alt.Axis(grid=False, values=ticks) if ticks else alt.Axis(grid=False, tickCount=6)
    y_axis = alt.Axis(format=look.y_format, tickCount=6, gridColor="#e5e5e5")
    y_scale = alt.Scale(type="log") if look.log_y else alt.Scale(domain=[0, 1]) if look.share else alt.Scale()
    x = alt.X("x:Q", title=look.x, axis=x_axis, scale=alt.Scale(type="log" if look.log_x else "linear"))
    y = alt.Y("median:Q", title=look.y or None, axis=y_axis, scale=y_scale)
    base = alt.Chart(frame).encode(x=x, color=channel(alt.Color, _COLOURS))
    layers = [base.mark_line(strokeWidth=2).encode(y=y, strokeDash=channel(alt.StrokeDash, _DASHES))]
    if look.marks:
        band = base.mark_area(opacity=0.15).encode(y=alt.Y("low:Q", scale=y_scale), y2="high:Q")
        dots = base.mark_point(filled=True, size=45, opacity=1).encode(y=y, shape=channel(alt.Shape, _SHAPES))
        layers = [band, *layers, dots]
    return alt.layer(*layers).properties(width=300, height=220)
