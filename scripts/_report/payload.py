"""What the page's own code reads, as JSON in which no character can end the element that holds it."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from bench.plan.experiments import arm_label
from bench.records.schema import VERDICTS
from bench.stats.trust import HOPELESS_FLOOR, LARGEST_FLOOR, MOST_DISTURBED
from bench.stats.verdicts import Rounds
from kernels.networks.case import WIDTHS
from scripts._report import charts
from scripts._report.data import SLICE, likeness, rows_of
from scripts._report.gains import Gain
from scripts._report.rounds import by_process
from scripts._report.sections import SECTIONS
from scripts._report.specs import specs_of
from scripts._report.trust import trust_lines
from scripts._shared.drawn_arms import Arm, arms_of
from scripts._shared.remarks import NOISY, axis_text, clean, varies
from scripts._shared.style import SHADES, theme

__all__ = ["payload"]

_FIGURES = (
    *("time_s", "time_lo_s", "time_hi_s", "gb_per_s", "ceiling_gb_per_s", "ceiling_fraction"),
    *("speedup", "speedup_lo", "speedup_hi", "noise_floor", "break_even_calls"),
    *("over_leader", "over_leader_lo", "over_leader_hi", "leader_noise_floor"),
    *("import_s", "first_call_s", "second_call_s", "queued_s", "max_ulp", "resolve_s"),
)
_COUNTS = ("n", "rounds", "contended_rounds")
_WORDS = {
    **{name: name for name in ("status", "reason", "verdict", "baseline", "leader", "leader_verdict")},
    "special": "special_values",
}
_FIRST = ("op", "direction", "placement", "dtype", "device", "machine", "run_id")
_LABELS = {"run_id": "run", "negative_slope": "slope"}
_LONGEST_REASON = 300


def script_json(value: Any) -> str:
    """`value` as JSON that may stand in a script element, whatever its strings hold."""
    return _harmless(json.dumps(value, ensure_ascii=True, allow_nan=False, separators=(",", ":")))


def _harmless(text: str) -> str:
    return text.replace("&", r"\u0026").replace("<", r"\u003c").replace(">", r"\u003e")


def payload(
    everything: pd.DataFrame, cells: pd.DataFrame, rounds: Sequence[Rounds], gains: Sequence[Gain]
) -> str:
    """One JSON object with the page's `cells` out of `everything`, the `rounds` of each, and how they compare.

    Numbers have five digits.
    """
    arms, code = arms_of(cells)
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
        "verdicts": VERDICTS,
        "noisy": NOISY,
        "charts": [section.id for section in SECTIONS],
        "specs": specs_of(arms),
        "shift": charts.SHIFT_PX,
        "shades": len(SHADES),
        "limits": {"disturbed": MOST_DISTURBED, "visible": LARGEST_FLOOR, "hopeless": HOPELESS_FLOOR},
        "trust": trust_lines(everything),
        "themes": {"light": theme(dark=False), "dark": theme(dark=True)},
    }
    parts = f'"rounds":{_rounds(rounds)},"gains":{_gains(gains)},"columns":{_object(columns)}'
    return f"{script_json(fixed)[:-1]},{parts}}}"


def _object(columns: Mapping[str, str]) -> str:
    return "{" + ",".join(f'"{name}":[{values}]' for name, values in columns.items()) + "}"


def _rounds(rounds: Sequence[Rounds]) -> str:
    """For each cell, for each process, the seconds of its rounds."""
    cells = (",".join(f"[{_numbers(np.array(each))}]" for each in by_process(cell)) for cell in rounds)
    return f"[{','.join(f'[{cell}]' for cell in cells)}]"


def _gains(gains: Sequence[Gain]) -> str:
    figures = np.array([each[2:5] + each[6:] for each in gains], float).reshape(-1, 4)
    columns = {name: _numbers(figures[:, place]) for place, name in enumerate(("value", "lo", "hi", "floor"))}
    columns |= {name: _codes(getattr(each, name) for each in gains) for name in ("now", "row")}
    columns["word"] = _codes(VERDICTS.index(each.word) for each in gains)
    return _object(columns)


def _numbers(values: np.ndarray[Any, np.dtype[np.float64]], form: str = ".5g") -> str:
    """NaN is null; infinity is a number too large for JSON's reader, who makes it infinity again."""
    words = {"nan": "null", "inf": "1e999", "-inf": "-1e999"}
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
        differs = varies(cells, name) if name in ("negative_slope", "params") else len(texts) > 1
        offered = differs and (name != "run_id" or several)
        label = _LABELS.get(name, name)
        if name == "layout" and all(map(WIDTHS.fullmatch, values.astype(str))):
            label = "widths"
        axes.append({"name": name, "label": label, "texts": texts, "offered": offered, "place": place})
        codes.append(found.tolist())
    return axes, [list(row) for row in zip(*codes, strict=True)]
