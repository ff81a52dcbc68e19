"""What a comparison says to people: tables of what changed, and how sure that is."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import pandas as pd

from bench.plan.experiments import case_label
from bench.stats.comparison import Comparison
from bench.stats.estimates import Interval
from bench.text.units import number_text, percent_text, ratio_text, seconds_text
from kernels.api import AXES
from kernels.networks.case import case_of
from scripts._shared.remarks import arm_name, clean
from scripts._shared.sections import Block, Section

__all__ = ["blocks", "cell_name", "legend", "summary"]

_Columns = Mapping[str, Callable[[Any], str]]
_NUMBERS = ("old", "new", "new/old", "noise", "p", "again", "p again")
_WORDS = ("slower", "faster", "same", "unresolved")
_WHY = {
    "unknown": "one of the two has no interval",
    "other baseline": "its speed-up is over another baseline",
    "only old": "NEW has no such cell",
    "only new": "OLD has no such cell",
}


def cell_name(row: Any) -> str:
    """``relu-forward-new-float32-1Ki-torch_eager[thp]``: as the item of ``pytest bench/`` is called."""
    axes = {axis: getattr(row, axis) for axis in AXES} | {"n": int(row.n), "threads": int(row.threads)}
    return f"{case_label(case_of(**axes))}-{arm_name(row.backend, row.variant, 'candidate')}"


def summary(found: Comparison, threshold: float) -> str:
    """The outcome in one line."""
    counts = found.cells["change"].value_counts().to_dict()
    slow = int((found.cells["regression"] & (found.cells["change"] == "slower")).sum())
    failed, whole = counts.get("failed", 0), found.implementations[found.implementations["regression"]]
    parts = [f"{slow:,} slower by more than {percent_text(threshold)}"] if slow else []
    parts += [f"{failed:,} with a worse status"] if failed else []
    parts += [
        f"{arm_name(str(row.backend), str(row.variant), 'candidate')} as a whole slower, {_ratio_of(row)}"
        for row in whole.itertuples()
    ]
    head = (
        f"{_count(slow + failed + len(whole), 'regression')} ({', '.join(parts)})"
        if parts
        else "No regression"
    )
    changed = ", ".join(f"{counts.get(name, 0):,} {name}" for name in _WORDS)
    mean = f"; geometric mean of new/old {_mean_text(found.mean)}" if found.mean else ""
    compared = _count(int(found.cells["p_value"].notna().sum()), "cell")
    left = int(_suspected(found).sum())
    hint = f" {_count(left, 'cell')} suspected: --confirm measures what is suspected again." if left else ""
    return f"{head}. {compared} compared: {changed}{mean}.{hint}"


def _suspected(found: Comparison) -> pd.Series:
    """The cells that are suspected and were neither called changed nor measured again."""
    if "again_ratio" in found.cells:
        return pd.Series(False, found.cells.index)
    return found.cells["suspected"] & (found.cells["change"] == "unresolved")


def blocks(found: Comparison, limit: int, *, everything: bool) -> list[Block]:
    """The tables that have rows: what changed (or every cell), what is suspected, by implementation, what is left out.

    `limit` is the most rows in a table, 0 for all.
    """
    cells = found.cells
    confirmed = "again_ratio" in cells
    chosen = cells["p_value"].notna() if everything else cells["change"].isin(("slower", "faster"))
    made = [
        _block(
            "Status changed",
            "A worse status is a regression.",
            _STATUS,
            cells[cells["change"].isin(("failed", "recovered"))],
            limit,
        ),
        _block(
            "Every cell" if everything else "Changed",
            "The largest slowdown first.",
            _FIGURES,
            _by_ratio(cells[chosen]),
            limit,
        ),
        _block(
            "Measured again" if confirmed else "Suspected",
            "Judged by the second measurement alone." if confirmed else "Changed, or chance: not known yet.",
            _AGAIN if confirmed else _FIGURES,
            _by_ratio(cells[cells["suspected"] if confirmed else _suspected(found)]),
            limit,
        ),
        _implementations(found),
        _block("Not compared", "Left out of every figure.", _LOST, cells[cells["change"].isin(_WHY)], limit),
    ]
    return [block for block in made if block.sections]


def _by_ratio(cells: pd.DataFrame) -> pd.DataFrame:
    return cells.sort_values("ratio", ascending=False, kind="stable")


def legend(found: Comparison, threshold: float, *, relative: bool) -> list[str]:
    """What the figures mean, and how much the machine itself moved."""
    unit = "time over the baseline's of the same experiment" if relative else "time"
    width = percent_text(threshold)
    lines = [
        f"new/old is the {unit}, with its 95 % interval for new processes: above 1 is slower. ! marks a regression.",
        "slower and faster are significant (5 %, corrected for the number of cells by Holm's method; of one run a side"
        " a jump of one cell in a hundred by 5 to 15 %, and of some by more, is chance)."
        f" same: closer than {width} (two one-sided tests)."
        " unresolved: neither is shown. noise: the smallest change that would have been called one in 80 % of cases.",
    ]
    if found.shared:
        lines += _of_the_machine(found)
    mean = found.controls_mean
    if mean is None:
        return [*lines, "The runs share no copies: how far the machine itself drifted is not known."]
    scatter = (
        f"; between runs arms differ by {percent_text(found.drift)} beyond their own errors, which every interval"
        " includes"
    )
    lines.append(
        f"The copies ({found.controls:,}), the same code in all runs, show {_mean_text(mean)}"
        f"{scatter if found.drift else ''}."
    )
    if not relative and (mean.lo > 1.0 or mean.hi < 1.0):
        instead = "--relative compares speed-ups over the baseline instead"
        lines.append(f"So the machine itself changed{'' if found.shared else f'; {instead}'}.")
    return lines


def _of_the_machine(found: Comparison) -> list[str]:
    known = found.cells.loc[found.cells["p_value"].notna(), "shift"]
    return [
        f"What all arms of a case share, {ratio_text(known.min())} to {ratio_text(known.max())}, is the machine's,"
        " and is taken off new/old.",
        "As a whole: the mean of an implementation's cells, the highest and the lowest fifth left out; significant as"
        " above, and beyond the 2.5 % by which an hour may favour one.",
    ]


def _block(heading: str, title: str, columns: _Columns, cells: pd.DataFrame, limit: int) -> Block:
    shown = cells.head(limit) if limit else cells
    rows = [tuple(text(row) for text in columns.values()) for row in shown.itertuples(index=False)]
    note = f"The first {len(rows):,} of {len(cells):,}; all with --limit 0." if len(rows) < len(cells) else ""
    right = tuple(name in _NUMBERS for name in columns)
    return Block(heading, [Section(title, tuple(columns), rows, right)] if rows else [], note)


def _implementations(found: Comparison) -> Block:
    known = found.cells.loc[found.cells["p_value"].notna(), ["backend", "variant", "change", "ratio"]]
    whole: dict[Any, Any] = {(row.backend, row.variant): row for row in found.implementations.itertuples()}
    rows = []
    for (backend, variant), arm in known.groupby(["backend", "variant"], observed=True):
        counts = arm["change"].value_counts().to_dict()
        numbers = [len(arm), *(counts.get(name, 0) for name in _WORDS)]
        row = whole.get((str(backend), str(variant)))
        mean = ratio_text(float(np.exp(np.log(arm["ratio"]).mean()))) if row is None else _ratio_of(row)
        word = "" if row is None else f"{row.change}{' !' if row.regression else ''}"
        name = arm_name(str(backend), str(variant), "candidate")
        rows.append((name, *(f"{number:,}" for number in numbers), mean, word))
    headers = ("implementation", "cells", *_WORDS, "new/old", "as a whole")
    right = (False, *(True for _ in headers[1:-1]), False)
    return Block(
        "By implementation", [Section("Over the cells compared.", headers, rows, right)] if rows else []
    )


def _ratio_of(row: Any) -> str:
    return ratio_text(row.ratio, row.ratio_lo, row.ratio_hi)


def _count(number: int, what: str) -> str:
    return f"{number:,} {what}{'' if number == 1 else 's'}"


def _mean_text(mean: Interval) -> str:
    return ratio_text(mean.value, mean.lo, mean.hi)


_FIGURES: _Columns = {
    "case and implementation": cell_name,
    "old": lambda row: seconds_text(row.old_time_s),
    "new": lambda row: seconds_text(row.new_time_s),
    "new/old": lambda row: ratio_text(row.ratio, row.ratio_lo, row.ratio_hi),
    "noise": lambda row: percent_text(row.noise_floor),
    "p": lambda row: number_text(row.p_adjusted, 2),
    "change": lambda row: f"{row.change}{' !' if row.regression else ''}",
}
_AGAIN: _Columns = {
    "case and implementation": cell_name,
    "new/old": lambda row: ratio_text(row.ratio, row.ratio_lo, row.ratio_hi),
    "again": lambda row: ratio_text(row.again_ratio, row.again_lo, row.again_hi),
    "p again": lambda row: number_text(row.again_p, 2),
    "change": lambda row: f"{row.change}{' !' if row.regression else ''}",
}
_STATUS: _Columns = {
    "case and implementation": cell_name,
    "was": lambda row: str(row.old_status),
    "is": lambda row: f"{row.new_status}{' !' if row.regression else ''}",
    "reason": lambda row: clean(row.reason) or "-",
}
_LOST: _Columns = {"case and implementation": cell_name, "why": lambda row: _WHY[row.change]}
