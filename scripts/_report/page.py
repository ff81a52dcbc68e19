"""The page: one HTML file that holds its data, its charts and the code that draws them, and fetches nothing.

Text from files reaches it in two ways only: through the template, which escapes, and as JSON in which no
character can end the element that holds it.  A content security policy with the hashes of the page's own
scripts forbids all others, and every request.
"""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Iterable, Sequence
from functools import cache
from importlib import resources
from typing import Any

import altair as alt
import numpy as np
import pandas as pd
import vl_convert
from jinja2 import Environment, StrictUndefined
from markupsafe import Markup

from bench.plan.experiments import arm_label
from bench.text.units import ratio_text
from kernels.networks.case import WIDTHS
from scripts._report import bars, charts
from scripts._report.data import SLICE, Arm, Reduced, arms_of, likeness, overall, rows_of
from scripts._report.machines import machine_section
from scripts._report.sections import SECTIONS, Section
from scripts._report.style import Layers, theme
from scripts._report.trust import trust_lines
from scripts._shared.environments import Environment as Machine
from scripts._shared.remarks import (
    LEGEND,
    NOISY,
    axis_text,
    clean,
    older_lines,
    problem_lines,
    run_lines,
    varies,
)
from scripts._shared.trust import LARGEST_FLOOR, MOST_DISTURBED

__all__ = ["render", "script_json"]

_ASSETS = resources.files(__package__) / "assets"
_FIGURES = (
    *("time_s", "time_lo_s", "time_hi_s", "gb_per_s", "ceiling_gb_per_s", "ceiling_fraction"),
    *("speedup", "speedup_lo", "speedup_hi", "noise_floor", "break_even_calls"),
    *("over_leader", "over_leader_lo", "over_leader_hi", "leader_noise_floor"),
    *("import_s", "first_call_s", "second_call_s", "max_ulp", "resolve_s"),
)
_COUNTS = ("n", "rounds", "contended_rounds")
_WORDS = {
    **{name: name for name in ("status", "reason", "verdict", "baseline", "leader", "leader_verdict")},
    "special": "special_values",
}
_FIRST = ("op", "direction", "placement", "dtype", "device", "machine", "run_id")
_MOST_ENVIRONMENTS = 8
_MARKS = (
    f"~ marks a noisy cell: {NOISY}.",
    "In squares, ★ marks the leader, ≈ what is the same within the width asked for (beside the leader, or over the"
    " baseline), ? what is unresolved: neither that nor a difference was shown.",
)
_LABELS = {"run_id": "run", "negative_slope": "slope"}
_LONGEST_REASON = 300
_SCRIPTS = (
    *("format.js", "rank.js", "gains.js", "rows.js", "address.js", "draw.js"),
    *("sections.js", "answer.js", "page.js"),
)
"""The page's own code, in the order in which it is put together."""


def render(
    cells: pd.DataFrame,
    reduced: Reduced,
    rounds: Sequence[Sequence[Sequence[float]]],
    machines: Sequence[tuple[str, Machine | None]],
) -> str:
    """The page of `cells` (as `scripts._shared.summary.ranked` leaves them), drawn from their `reduced` rows.

    `rounds` has for each of these rows, for each process, the seconds of its rounds.

    `machines` are the runs' names, each with its environment.json, None where it has none.
    """
    arms, code = arms_of(reduced.cells)
    scripts = [_bundle(), _own_script()]
    names = list(dict.fromkeys(map(clean, cells["run_id"].unique())))
    template = Environment(autoescape=True, undefined=StrictUndefined).from_string(_asset("page.html.j2"))
    return template.render(
        title=f"relu-bench: {', '.join(names[:3])}{' and more' if len(names) > 3 else ''}",
        intro=[*run_lines(cells), *older_lines(cells), *reduced.notes],
        charts=SECTIONS,
        total=f"{len(cells):,}",
        overall=_overall_rows(cells),
        problems=problem_lines(cells),
        environments=[machine_section(*item) for item in machines[:_MOST_ENVIRONMENTS]],
        legend=[*(line for table, line in LEGEND if table in ("", "fastest")), *_MARKS],
        colophon=_colophon(len(machines)),
        css=Markup(_asset("page.css")),  # our own files, not data
        data=Markup(_payload(cells, reduced.cells, arms, code, rounds)),  # cannot end its element
        scripts=[Markup(script) for script in scripts],
        script_hashes=Markup(" ".join(map(_hash, scripts))),
    )


def script_json(value: Any) -> str:
    """`value` as JSON that may stand in a script element, whatever its strings hold."""
    return _harmless(json.dumps(value, ensure_ascii=True, allow_nan=False, separators=(",", ":")))


def _harmless(text: str) -> str:
    return text.replace("&", r"\u0026").replace("<", r"\u003c").replace(">", r"\u003e")


def _payload(
    everything: pd.DataFrame,
    cells: pd.DataFrame,
    arms: Sequence[Arm],
    code: Any,
    rounds: Sequence[Sequence[Sequence[float]]],
) -> str:
    """Everything that the page's code reads, as one JSON object; numbers have five digits."""
    columns = {name: _numbers(cells[name].to_numpy(float)) for name in _FIGURES}
    columns |= {name: _numbers(cells[name].to_numpy(float), ".17g") for name in _COUNTS}
    columns |= {"slice": _codes(cells["slice"]), "arm": _codes(code)}
    words: dict[str, list[str]] = {}
    for name, column in _WORDS.items():
        codes, found = pd.factorize(cells[column].astype(str))
        columns[name], words[name] = _codes(codes), [_short(text) for text in found]
    axes, slices = _axes(cells)
    fixed = {
        "axes": axes,
        "start": int(likeness(cells.drop_duplicates("slice").sort_values("slice")).argmax()),
        "slices": slices,
        "arms": _arms(cells, arms, code),
        "words": words,
        "noisy": NOISY,
        "charts": [section.id for section in SECTIONS],
        "specs": _specs(arms),
        "shift": charts.SHIFT_PX,
        "limits": {"disturbed": MOST_DISTURBED, "visible": LARGEST_FLOOR},
        "trust": trust_lines(everything),
        "themes": {"light": theme(dark=False), "dark": theme(dark=True)},
    }
    parts = ",".join(f'"{name}":[{values}]' for name, values in columns.items())
    return f'{script_json(fixed)[:-1]},"rounds":{_rounds(rounds)},"columns":{{{parts}}}}}'


def _rounds(rounds: Sequence[Sequence[Sequence[float]]]) -> str:
    """For each cell, for each process, the seconds of its rounds."""
    cells = (",".join(f"[{_numbers(np.asarray(process, float))}]" for process in cell) for cell in rounds)
    return f"[{','.join(f'[{cell}]' for cell in cells)}]"


def _numbers(values: np.ndarray[Any, np.dtype[np.float64]], form: str = ".5g") -> str:
    """NaN is null; infinity is a number too large for JSON's reader, who makes it infinity again."""
    words = {"nan": "null", "inf": "1e999"}
    texts = (format(value, form) for value in values.tolist())
    return ",".join(words.get(text, text) for text in texts)


def _codes(values: Iterable[int]) -> str:
    return ",".join(map(str, values))


def _short(text: str) -> str:
    text = clean(text)
    return text if len(text) <= _LONGEST_REASON else text[: _LONGEST_REASON - 3] + "..."


def _arms(cells: pd.DataFrame, arms: Sequence[Arm], code: Any) -> list[dict[str, Any]]:
    first = cells[["backend", "variant"]].astype(str).iloc[np.unique(code, return_index=True)[1]]
    return [
        {"name": arm.name, "role": arm.role, "color": arm.color, "glyph": arm.glyph, "competes": arm.competes}
        | {"backend": clean(row.backend), "label": _short(arm_label(row.backend, row.variant))}
        for arm, row in zip(arms, rows_of(first), strict=True)
    ]


def _axes(cells: pd.DataFrame) -> tuple[list[dict[str, Any]], list[list[int]]]:
    """What can be chosen, in the order in which it is offered; and each slice as places on these axes."""
    rows = cells[[*SLICE, "slice"]].drop_duplicates("slice").sort_values("slice")
    order = [*_FIRST, *(name for name in SLICE if name not in _FIRST)]
    several = rows[["machine", "run_id"]].drop_duplicates().shape[0] > rows["machine"].nunique()
    axes, codes = [], []
    for place, name in enumerate(order):
        found, values = pd.factorize(rows[name], sort=True)
        texts = [axis_text(name, value).removeprefix(f"{name} ") for value in values]
        differs = varies(cells, name) if name == "negative_slope" else len(texts) > 1
        offered = differs and (name != "run_id" or several)
        label = _LABELS.get(name, name)
        if name == "layout" and all(map(WIDTHS.fullmatch, values.astype(str))):
            label = "widths"
        axes.append({"name": name, "label": label, "texts": texts, "offered": offered, "place": place})
        codes.append(found.tolist())
    return axes, [list(row) for row in zip(*codes, strict=True)]


def _specs(arms: Sequence[Arm]) -> dict[str, Any]:
    ranked = [arm for arm in arms if arm.competes]
    speedup = ("speedup", "speed-up over what is used now")
    found = {
        "time": charts.over_size(ranked, "seconds"),
        "bandwidth": charts.over_size(ranked, "gb_per_s"),
        "speedup": charts.heat(*speedup),
        "speedup-upright": charts.heat(*speedup, upright=True),
        "fastest": charts.heat("fastest", ""),
        "fastest-upright": charts.heat("fastest", "", upright=True),
        "ledger": bars.ledger(),
        "noise": charts.noise(ranked),
    }
    for near in (False, True):
        suffix = "-near" if near else ""
        found[f"here{suffix}"] = bars.dots(ranked, log=not near)
        found[f"rounds{suffix}"] = bars.rounds(ranked, log=not near)
        found[f"runs{suffix}"] = bars.beside(log=not near)
    sections = {section.id: section for section in SECTIONS}
    return {name: _spec(chart, sections[name.partition("-")[0]]) for name, chart in found.items()}


def _spec(chart: Layers, section: Section) -> dict[str, Any]:
    spec: dict[str, Any] = chart.properties(width="container", description=section.title).to_dict(
        validate=False
    )
    spec.pop("config", None)
    return spec | ({"height": 320} if section.tall else {})


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
