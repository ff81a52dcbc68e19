"""From the figures of a summary to tables of text, still without a format: titles, headers, rows."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from types import MappingProxyType
from typing import Any

import pandas as pd

from bench.plugin import overview
from bench.plugin.entries import Entry
from bench.plugin.not_ok import not_ok
from bench.text.sizes import format_size
from bench.text.units import MISSING, calls_text, number_text, percent_text, ratio_text, seconds_text
from kernels.api import AXES
from scripts._shared.fleet import machine_lines
from scripts._shared.remarks import (
    LEGEND,
    RARE_AXES,
    arm_name,
    baseline_lines,
    clean,
    constant_lines,
    older_lines,
    problem_lines,
    run_lines,
    troubles,
    varies,
)
from scripts._shared.sections import Block, Column, Report, Section, cut_note, sections_of
from scripts._shared.summary import Keep, arms, fastest, fits

__all__ = ["ALL_TABLES", "TABLES", "Maker", "Screen", "report"]

TABLES = ("overview", "fastest", "arms", "fits", "headline")
ALL_TABLES = TABLES[1:4]
"""All that there is to say; overview and headline are the first of them once more, and short."""
_WIDE = 120
"""Columns of the overview where no terminal says how many there are."""
_FEW_PROBLEMS = 8
_WORST_MISS = 0.1
"""A line that misses a measured time by more says little of the times between."""
_SHORT = 3000  # rows of a table that is shown whole unless --limit says otherwise
_CUT = 300  # rows that are left of a longer one


@dataclass(frozen=True, slots=True)
class Screen:
    """What the overview has to fit on: columns, and lines (None: any number)."""

    width: int = _WIDE
    lines: int | None = None


Maker = Callable[[pd.DataFrame, Keep, Sequence[str], bool], Block]


def report(
    cells: pd.DataFrame,
    tables: Sequence[str],
    limit: int | None,
    screen: Screen | None = None,
    more: Mapping[str, Maker] = MappingProxyType({}),
) -> Report:
    """The summary of `cells` (as `prepare` leaves them); `more` makes tables that are not in `TABLES`.

    `limit` is the most rows in a block, 0 for all; None shows blocks of up to 3000 rows whole and
    the first 300 rows of longer ones.  The overview fits on `screen`.
    """
    rare = [axis for axis in RARE_AXES if varies(cells, axis)]
    several = cells["run_id"].nunique() > 1
    result = Report(intro=[*run_lines(cells), *constant_lines(cells, rare), *older_lines(cells)])
    result.intro += [*baseline_lines(cells), *machine_lines(cells)]
    makers: dict[str, Maker] = {
        "overview": partial(_overview_block, screen or Screen()),
        "fastest": _fastest_block,
        "arms": _arms_block,
        "fits": _fits_block,
        "headline": _headline_block,
        **more,
    }
    for name in tables:
        result.blocks.append(makers[name](cells, _keep(limit), rare, several))
    if tuple(tables) == ("headline",):
        return result  # for a page that explains its columns itself
    if tables[:1] == ("overview",) and set(tables[1:]) <= set(more):
        result.legend = [*overview.HOW_TO_READ, *(line for name, line in LEGEND if name in tables)]
        result.problems = not_ok(troubles(cells), (screen or Screen()).width, _FEW_PROBLEMS)
        return result
    result.legend = [line for name, line in LEGEND if name in ("", *tables)]
    result.problems = problem_lines(cells)
    return result


def _overview_block(
    screen: Screen, cells: pd.DataFrame, keep: Keep, _rare: Sequence[str], _several: bool
) -> Block:
    """A table for each op and direction, of each machine."""
    frame, total = fastest(cells, keep)
    by_machine = itertools.groupby(frame.itertuples(index=False), lambda row: row.machine)
    machines: list[list[Any]] = [list(rows) for _, rows in by_machine]
    lines = None if screen.lines is None else screen.lines // max(len(machines), 1)
    made = [
        replace(grid, title=f"{grid.title}, on {clean(rows[0].machine)}" if len(machines) > 1 else grid.title)
        for rows in machines
        for grid in overview.grids(list(map(_entry, rows)), screen.width, lines)
    ]
    left_out = sum(grid.left_out for grid in made)
    note = f"{left_out:,} more cases with --tables fastest" if left_out else ""
    sections = [Section(grid.title, grid.headers, grid.rows, grid.right, narrow=True) for grid in made]
    return Block("", sections, note or cut_note(len(frame), total, "cases"))


def _entry(row: Any) -> Entry:
    return Entry(
        {axis: getattr(row, axis) for axis in AXES},
        clean(row.fastest).split("; "),
        clean(row.unresolved).split("; ") if row.unresolved else (),
        row.time_s,
        row.status == "noisy",
        clean(row.baseline),
        row.speedup,
        row.ceiling_fraction,
    )


def _fastest_block(cells: pd.DataFrame, keep: Keep, rare: Sequence[str], _several: bool) -> Block:
    frame, total = fastest(cells, keep)
    columns = (
        Column("dtype", lambda row: str(row.dtype), right=False),
        Column("size", lambda row: format_size(row.n)),
        *_FIGURES,
        Column("fastest set", lambda row: _names(row.fastest), right=False),
        Column("not known", _not_known, right=False),
    )
    sections = sections_of(frame, columns, ("op", "direction", "placement"), rare)
    return Block("Fastest set per case", sections, cut_note(len(frame), total, "cases"))


def _headline_block(cells: pd.DataFrame, keep: Keep, rare: Sequence[str], _several: bool) -> Block:
    """The fastest sets in few columns, narrow enough for a telephone: `?3` says what `~` would say again."""
    frame, total = fastest(cells, keep)
    baselines = {str(name) for name in frame["baseline"]} - {""}
    over = baselines.pop() if len(baselines) == 1 else "the baseline"
    columns = (
        Column("size", lambda row: format_size(row.n)),
        Column("fastest", _fastest_of_how_many, right=False),
        Column("time", lambda row: seconds_text(row.time_s) if row.unresolved else _time(row)),
        Column("over", lambda row: ratio_text(row.speedup, row.speedup_lo, row.speedup_hi)),
    )
    sections = sections_of(frame, columns, ("op", "direction", "placement", "dtype"), rare)
    sections = [replace(each, title=f"{each.title}, over {over}") for each in sections]
    return Block("", sections, cut_note(len(frame), total, "cases"))


def _arms_block(cells: pd.DataFrame, keep: Keep, rare: Sequence[str], several: bool) -> Block:
    frame, total = arms(cells, keep, timed_only=True)
    queued = bool(frame["queued_s"].notna().any())  # on a card alone
    columns = (
        Column("size", lambda row: format_size(row.n)),
        *([Column("run", lambda row: clean(row.run_id), right=False)] if several else []),
        Column(
            "implementation",
            lambda row: arm_name(row.backend, row.variant, row.role) + " *" * row.fastest,
            right=False,
        ),
        *_FIGURES,
        *([Column("queued", lambda row: seconds_text(row.queued_s))] if queued else []),
        Column("verdict", lambda row: row.verdict or MISSING, right=False),
        Column("noise floor", lambda row: percent_text(row.noise_floor)),
        Column(
            "over leader", lambda row: ratio_text(row.over_leader, row.over_leader_lo, row.over_leader_hi)
        ),
        Column("beside it", lambda row: row.standing or MISSING, right=False),
        Column("noise floor", lambda row: percent_text(row.leader_noise_floor)),
        Column("break-even", lambda row: calls_text(row.break_even_calls)),
    )
    sections = sections_of(frame, columns, ("op", "direction", "placement", "dtype"), rare)
    return Block("Every implementation", sections, cut_note(len(frame), total, "rows"))


def _fits_block(cells: pd.DataFrame, keep: Keep, rare: Sequence[str], _several: bool) -> Block:
    every, lines = fits(cells, lambda total: total)
    believed = every[every["worst_miss"] < _WORST_MISS]
    total = len(believed)
    frame = believed.iloc[: keep(total)]
    columns = (
        Column("dtype", lambda row: str(row.dtype), right=False),
        Column("implementation", lambda row: arm_name(row.backend, row.variant, row.role), right=False),
        Column("latency", lambda row: seconds_text(row.latency_s)),
        Column("bandwidth GB/s", lambda row: number_text(row.bandwidth_gb_per_s)),
        Column("sizes", lambda row: str(row.sizes)),
        Column("worst miss", lambda row: percent_text(row.worst_miss)),
    )
    sections = sections_of(frame, columns, ("op", "direction", "placement"), rare)
    note = cut_note(len(frame), total, "fits") if total else "None: a fit needs at least three sizes."
    if lines > total:
        note = f"{lines - total:,} more lines miss a size by {percent_text(_WORST_MISS)} or more and are not shown."
    return Block("Fitted latency and bandwidth", sections, note)


def _names(text: str) -> str:
    return clean(text).replace("; ", ", ")


def _not_known(row: Any) -> str:
    """``numba_jit (4.1%), torch_eager (2.2%)``."""
    if not row.unresolved:
        return MISSING
    floors = [percent_text(float(floor)) for floor in row.unresolved_noise_floor.split("; ")]
    named = zip(clean(row.unresolved).split("; "), floors, strict=True)
    return ", ".join(name if floor == MISSING else f"{name} ({floor})" for name, floor in named)


def _fastest_of_how_many(row: Any) -> str:
    """``numba_tuned, torch_eager ?3``, as the overview has it."""
    unknown = f" ?{len(row.unresolved.split('; '))}" if row.unresolved else ""
    return _names(row.fastest) + unknown


def _time(row: Any) -> str:
    return f"{'~' if row.status == 'noisy' else ''}{seconds_text(row.time_s)}"


_FIGURES = (
    Column("time", _time),
    Column("GB/s", lambda row: number_text(row.gb_per_s)),
    Column("speed-up", lambda row: ratio_text(row.speedup, row.speedup_lo, row.speedup_hi)),
    Column("of copy", lambda row: percent_text(row.ceiling_fraction)),
)


def _keep(limit: int | None) -> Keep:
    if limit is None:
        return lambda total: total if total <= _SHORT else _CUT
    return lambda total: min(total, limit or total)
