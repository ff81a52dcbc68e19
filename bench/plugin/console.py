"""What stands on the screen when a run has ended."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterable, Mapping, Sequence
from operator import itemgetter
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from bench.plan.experiments import arm_label
from bench.plugin import overview
from bench.plugin.entries import entries
from bench.plugin.not_ok import Trouble, not_ok
from bench.plugin.texts import statuses
from bench.records.baselines import stand_in_lines
from bench.records.columns import TIMED
from bench.records.schema import Cell, values_of
from bench.run.run import Run
from bench.stats.fastest import COMPETING, standings
from bench.stats.trust import MOST_DISTURBED
from bench.text.commands import command_line
from bench.text.installs import install_lines
from bench.text.sizes import format_size
from bench.text.units import count_text, percent_text, seconds_text, span_text

__all__ = ["Write", "busy_lines", "next_commands", "summary", "table"]

Write = Callable[[str], None]
"""Prints one line."""

_SCREEN = 60
"""Lines that the end of a run may take."""
_BESIDE = 15
"""Of them, those around the tables: what pytest prints, how it went, where the files are, what to type next."""
_MOST_REASONS = 8
"""Lines on what was not ok, at most."""


def summary(run: Run, write: Write, width: int, *, tables: bool = False) -> None:
    """What came out, on one screen; with `tables` a row for each experiment, and all reasons, whatever that takes."""
    cells = run.rows()
    reasons = not_ok(map(Trouble.of, cells), width, None if tables else _MOST_REASONS)
    if tables:
        for line in table(((each.label, run.rows([each])) for each in run.chosen), width):
            write(line)
        write("")
    else:
        _overview(run, write, width, _SCREEN - _BESIDE - len(reasons))
    for line in (*busy_lines(cells), *reasons):
        write(line)
    for line in stand_in_lines((cell.role, cell.backend, cell.baseline) for cell in cells):
        write(line)
    _how_it_went(run, cells, write)
    if run.left:
        again = command_line("--run-id", run.run_id)
        write(f"{count_text(len(run.left), 'experiment')} left: go on with {again}")
    if cells:
        write(f"files: {run.files.cells_path}, rounds.csv and environment.json beside it")
        for what, command in next_commands(run.files.folder, format_size(max(cell.case.n for cell in cells))):
            write(f"{what + ':':<12} {command}")


def next_commands(folder: Path, size: str) -> Sequence[tuple[str, str]]:
    """What to type next, and what for."""
    asked = {
        "all tables": ("summarise", "--tables", "all"),
        "as a page": ("report",),
        "what to use": ("recommend", "--n", size),
    }
    return [
        (what, command_line("python", f"scripts/{name}.py", folder, *more))
        for what, (name, *more) in asked.items()
    ]


def _overview(run: Run, write: Write, width: int, most_lines: int) -> None:
    found = entries(run.rows([each]) for each in run.chosen)
    left_out = 0
    for grid in overview.grids(found, width, most_lines):
        for line in overview.lines(grid):
            write(line)
        write("")
        left_out += grid.left_out
    if left_out:
        write(f"{count_text(left_out, 'case')} more with --tables")
    for line in overview.HOW_TO_READ if found else ():
        write(line)


def _how_it_went(run: Run, cells: Sequence[Cell], write: Write) -> None:
    ended = statuses(cell.status for cell in cells)
    write(f"{count_text(len(cells), 'cell')}: {ended}" if cells else "nothing was measured")
    labels = (
        (cell.backend, arm_label(cell.backend, cell.variant), cell.python, cell.versions) for cell in cells
    )
    for line in install_lines(labels):
        write(line)
    account = run.account
    if not account.measured:
        return
    compiled = (
        f" ({span_text(account.renewed_s)} for arms that had compiled)" if round(account.renewed_s) else ""
    )
    write(
        f"{count_text(account.measured, 'experiment')} in {span_text(account.wall_s)}, "
        f"start-up {span_text(account.start_up_s)}"
        f"{compiled}; of the rest {100 * account.rounds_share:.0f} % in rounds, "
        f"{100 * account.timed_share:.0f} % in timed calls; "
        f"{account.contended:,} batches beside others' work"
    )


def busy_lines(cells: Sequence[Cell]) -> list[str]:
    """That the figures are not to be relied on, in one line, if most batches ran beside others' work."""
    ranked = [cell for _, cell in _timed(cells)]
    batches, disturbed = (
        sum(getattr(cell, name) or 0 for cell in ranked) for name in ("rounds", "contended_rounds")
    )
    if disturbed <= MOST_DISTURBED * batches:
        return []
    return [
        f"The machine was busy: {disturbed:,.0f} of {batches:,.0f} batches ran beside others' work. Do not rely on"
        " these figures; measure again on a machine that does nothing else."
    ]


def table(experiments: Iterable[tuple[str, Sequence[Cell]]], width: int) -> list[str]:
    """The lines of a table: of each experiment, by its name and cells, the leader's figures, and who is as fast."""
    made = Table(box=None, pad_edge=False, title=None)
    made.add_column("experiment", no_wrap=True)
    for header in ("time", "GB/s", "of copy", "speed-up"):
        made.add_column(header, justify="right", no_wrap=True)
    made.add_column("fastest (with all that are the same)", overflow="fold")
    made.add_column("not known (would be seen)", overflow="fold")
    for label, cells in experiments:
        timed = _timed(cells)
        if timed:
            made.add_row(label, *_texts(timed))
    console = Console(file=io.StringIO(), width=max(width, 110), color_system=None)
    console.print(made)
    text = str(console.file.getvalue())  # type: ignore[attr-defined]  # a StringIO, as given above
    return [line.rstrip() for line in text.splitlines()]


def _timed(cells: Sequence[Cell]) -> list[tuple[float, Cell]]:
    """Those that are ranked and have a time, with it."""
    ranked = [cell for cell in cells if cell.role in COMPETING and cell.status in TIMED]
    return [(cell.time_s, cell) for cell in ranked if cell.time_s is not None]


def _texts(timed: Sequence[tuple[float, Cell]]) -> tuple[str, ...]:
    found = standings([values_of(cell) for _, cell in timed])
    time_s, best = min(timed, key=itemgetter(0))
    return (
        seconds_text(time_s),
        _number(best.gb_per_s, "{:.1f}"),
        _number(best.ceiling_fraction, "{:.0%}"),
        _number(best.speedup, "{:.2f}x"),
        ", ".join(map(_name, found.fastest)),
        ", ".join(_name(row) + _floor(row["leader_noise_floor"]) for row in found.unresolved),
    )


def _name(row: Mapping[str, Any]) -> str:
    return arm_label(row["backend"], row["variant"])


def _floor(floor: float | None) -> str:
    return "" if floor is None else f" ({percent_text(floor)})"


def _number(value: float | None, form: str) -> str:
    return "" if value is None else form.format(value)
