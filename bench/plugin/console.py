"""What a run prints: the plan, a line for each experiment that ended, and the table at the end."""

from __future__ import annotations

import io
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from operator import itemgetter
from typing import Any

from rich.console import Console
from rich.table import Table

from bench.plan.experiments import Experiment, arm_label
from bench.records.baselines import stand_in_lines
from bench.records.columns import TIMED
from bench.records.schema import Cell, values_of
from bench.run.run import Run
from bench.stats.fastest import COMPETING, standings
from bench.text.commands import as_typed
from bench.text.units import count_text, seconds_text

__all__ = ["Write", "announce", "leader_text", "progress", "summary", "table"]

Write = Callable[[str], None]
"""Prints one line."""


def announce(run: Run, write: Write) -> None:
    """What is about to happen."""
    left, total = len(run.left), len(run.chosen)
    what = count_text(total, "experiment")
    if left < total:
        what = f"{left} of {what} {'is' if left == 1 else 'are'} left"
    span = _span(run.seconds_left())
    write(f"run {run.run_id}: {what}, about {span}, and what compiling takes; files in {run.files.folder}/")
    if run.settings.baseline_note:
        write(run.settings.baseline_note)


def progress(run: Run, ended: Experiment, write: Write) -> None:
    """One line when an experiment has ended: which, time left, the leader."""
    cells = run.rows([ended])
    total = len(run.chosen)
    done = f"{total - len(run.left):{len(str(total))}}/{total}"
    troubles = Counter(cell.status for cell in cells if cell.status not in ("ok", "noisy", "skipped"))
    trouble = "".join(f"; {count} {status}" for status, count in sorted(troubles.items()))
    left = f"{_span(run.seconds_left())} left" if run.left else "done"
    write(f"[{done}] {ended.label}: {leader_text(cells)}{trouble}; {left}")


def _span(seconds: float) -> str:
    return f"{seconds:.0f} s" if seconds < 120 else f"{seconds / 60:.0f} min"


def _timed(cells: Sequence[Cell]) -> list[tuple[float, Cell]]:
    """Those that are ranked and have a time, with it."""
    ranked = [cell for cell in cells if cell.role in COMPETING and cell.status in TIMED]
    return [(cell.time_s, cell) for cell in ranked if cell.time_s is not None]


def leader_text(cells: Sequence[Cell]) -> str:
    """The leader of an experiment, its time, and what it is beside the baseline; or why there is none."""
    timed = _timed(cells)
    if not timed:
        reasons = Counter(cell.reason for cell in cells if cell.reason)
        return f"nothing was timed ({reasons.most_common(1)[0][0] if reasons else 'no arm'})"
    time_s, best = min(timed, key=itemgetter(0))
    leads = f"{arm_label(best.backend, best.variant)} leads with {seconds_text(time_s)}"
    if best.role == "baseline" or best.speedup is None:
        return leads
    # The ratio is that of the rounds and may contradict the times where others use the machine: then it says nothing.
    beside = {"faster": f"{best.speedup:.2f}x {best.baseline}", "same": f"the same as {best.baseline}"}
    return f"{leads}, {beside.get(best.verdict, f'not told apart from {best.baseline}')}"


def summary(run: Run, write: Write, width: int) -> None:
    """The fastest of each experiment, how the cells ended, and where the files are."""
    for line in table(((each.label, run.rows([each])) for each in run.chosen), width):
        write(line)
    statuses = Counter(cell.status for cell in run.rows())
    for line in stand_in_lines((cell.role, cell.backend, cell.baseline) for cell in run.rows()):
        write(line)
    write(
        f"{count_text(sum(statuses.values()), 'cell')}: "
        + ", ".join(f"{count} {name}" for name, count in statuses.most_common())
    )
    account = run.account
    if account.measured:
        write(
            f"{count_text(account.measured, 'experiment')} in {_span(account.wall_s)}, "
            f"start-up {_span(account.start_up_s)}"
            + (
                f" ({_span(account.renewed_s)} for arms that had compiled)"
                if round(account.renewed_s)
                else ""
            )
            + "; "
            f"{100 * account.timed_share:.0f} % of the rest was spent inside timed rounds; "
            f"{count_text(account.contended, 'batch', 'batches')} beside others' work"
        )
    if run.left:
        left = count_text(len(run.left), "experiment")
        write(f"{left} {'is' if len(run.left) == 1 else 'are'} left: go on with --run-id {run.run_id}")
    write(f"files: {run.files.cells_path}, rounds.csv and environment.json beside it")
    write(as_typed(f"tables: python scripts/summarise.py {run.files.folder}"))


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


def _texts(timed: Sequence[tuple[float, Cell]]) -> tuple[str, ...]:
    found = standings([values_of(cell) for _, cell in timed])
    time_s, best = min(timed, key=itemgetter(0))
    return (
        seconds_text(time_s),
        _number(best.gb_per_s, "{:.1f}"),
        _number(best.ceiling_fraction, "{:.0%}"),
        _number(best.speedup, "{:.2f}x"),
        ", ".join(map(_name, found.fastest)),
        ", ".join(_name(row) + _number(row["leader_noise_floor"], " ({:.1%})") for row in found.unresolved),
    )


def _name(row: Mapping[str, Any]) -> str:
    return arm_label(row["backend"], row["variant"])


def _number(value: float | None, form: str) -> str:
    return "" if value is None else form.format(value)
