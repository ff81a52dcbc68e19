"""The page: one HTML file that holds its data, its charts and the code that draws them, and fetches nothing.

Text from files reaches it in two ways only: through the template, which escapes, and as JSON in which no
character can end the element that holds it.  A content security policy with the hashes of the page's own
scripts forbids all others, and every request.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Sequence
from functools import cache
from importlib import resources

import altair as alt
import pandas as pd
import vl_convert
from jinja2 import Environment, StrictUndefined
from markupsafe import Markup

from bench.text.units import ratio_text
from scripts._report.data import overall, rows_of
from scripts._report.fleet_rows import HEADERS, fleet_rows
from scripts._report.machines import machine_section
from scripts._report.sections import SECTIONS
from scripts._shared.environments import Environment as Machine
from scripts._shared.fleet import machine_lines
from scripts._shared.remarks import (
    LEGEND,
    NOISY,
    clean,
    older_lines,
    problem_lines,
    run_lines,
)

__all__ = ["render"]

_ASSETS = resources.files(__package__) / "assets"
_MOST_ENVIRONMENTS = 8
_MARKS = (
    f"~ marks a noisy cell: {NOISY}.",
    "In squares, ★ marks the leader, ≈ what is the same within the width asked for (beside the leader, or over the"
    " baseline), ? what is unresolved: neither that nor a difference was shown.",
)
_SCRIPTS = (
    *("format.js", "rows.js", "gains.js", "rank.js", "address.js", "whiskers.js", "draw.js"),
    *("sections.js", "answer.js", "page.js"),
)
"""The page's own code, in the order in which it is put together."""


def render(
    cells: pd.DataFrame,
    data: str,
    notes: Sequence[str],
    machines: Sequence[tuple[str, Machine | None]],
) -> str:
    """The page of `cells` (as `scripts._shared.summary.ranked` leaves them), drawn from `data`, its `payload`.

    `notes` say what it leaves out.  `machines` are the runs' names, each with its environment.json, None where it has
    none.
    """
    scripts = [_bundle(), _own_script()]
    names = list(dict.fromkeys(map(clean, cells["run_id"].unique())))
    template = Environment(autoescape=True, undefined=StrictUndefined).from_string(_asset("page.html.j2"))
    return template.render(
        title=f"relu-bench: {', '.join(names[:3])}{' and more' if len(names) > 3 else ''}",
        intro=[*run_lines(cells), *older_lines(cells), *machine_lines(cells), *notes],
        charts=SECTIONS,
        total=f"{len(cells):,}",
        overall=_overall_rows(cells),
        fleet=fleet_rows(cells),
        fleet_headers=HEADERS,
        problems=problem_lines(cells),
        environments=[machine_section(*item) for item in machines[:_MOST_ENVIRONMENTS]],
        legend=[*(line for table, line in LEGEND if table in ("", "fastest")), *_MARKS],
        colophon=_colophon(len(machines)),
        css=Markup(_asset("page.css")),  # our own files, not data
        data=Markup(data),  # cannot end its element
        scripts=[Markup(script) for script in scripts],
        script_hashes=Markup(" ".join(map(_hash, scripts))),
    )


def _overall_rows(cells: pd.DataFrame) -> list[dict[str, str]]:
    return [
        {
            "arm": row.arm,
            "cases": f"{row.cases:,}",
            "fastest": f"{row.fastest:,}",
            "unresolved": f"{row.unresolved:,}",
            "speedup": ratio_text(row.speedup),
            "other": f"{row.other:,}",
        }
        for row in rows_of(overall(cells))
    ]


def _colophon(runs: int) -> str:
    hidden = f" The environments of {runs - _MOST_ENVIRONMENTS:,} more runs are left out." * (
        runs > _MOST_ENVIRONMENTS
    )
    return (
        f"Written by scripts/report.py of relu-bench; drawn by Vega {vl_convert.get_vega_version()} and Vega-Lite"
        f" {_vegalite()}, which are inside this file. It fetches nothing.{hidden}"
    )


@cache
def _bundle() -> str:
    """Vega, Vega-Lite and vega-embed as one script, from vl-convert's own files."""
    return str(vl_convert.javascript_bundle("window.vegaEmbed = vegaEmbed;", vl_version=_vegalite()))


def _vegalite() -> str:
    return ".".join(alt.SCHEMA_VERSION.removeprefix("v").split(".")[:2])


def _own_script() -> str:
    parts = "\n".join(_asset(name) for name in _SCRIPTS)
    return f'(() => {{\n"use strict";\n{parts}}})();'


def _asset(name: str) -> str:
    return (_ASSETS / name).read_text(encoding="utf-8")


def _hash(script: str) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()}'"
