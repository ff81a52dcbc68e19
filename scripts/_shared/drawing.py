"""Charts as files, on white: the same spec gives the same bytes, for the font is one that the renderer brings along."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import altair as alt
import numpy as np
import vl_convert

from scripts._shared.style import theme

__all__ = ["as_png", "as_svg", "digits", "finished"]


def as_svg(spec: Mapping[str, Any]) -> str:
    """The SVG text of a Vega-Lite spec; the same for the same spec."""
    svg: str = vl_convert.vegalite_to_svg(dict(spec), vl_version=_version(), allowed_base_urls=[])
    return svg + "\n"


def as_png(spec: Mapping[str, Any]) -> bytes:
    """The PNG of a spec, at twice its size."""
    png: bytes = vl_convert.vegalite_to_png(dict(spec), vl_version=_version(), scale=2, allowed_base_urls=[])
    return png


def finished(spec: dict[str, Any]) -> dict[str, Any]:
    """`spec` with what every file has: the theme, and a margin."""
    return spec | {"$schema": alt.SCHEMA_URL, "config": theme(dark=False), "padding": 14}


def digits(value: float, otherwise: float = np.nan) -> float:
    """Five digits of `value`, or of `otherwise` where it is no length of a line on a logarithmic axis."""
    return float(f"{value if 0 < value < np.inf else otherwise:.5g}")


def _version() -> str:
    return ".".join(alt.SCHEMA_VERSION.removeprefix("v").split(".")[:2])
