"""What a run prints: the plan, a line for each experiment that ended, and the table at the end."""

from __future__ import annotations

import io
from collections import Counter
from collections.abc import Callable, Mapping, Sequence

from rich.console import Console
from rich.table import Table

from bench.plan.experiments import Experiment
from bench.run.run import Run
from bench.stats.fastest import fastest_set
from bench.text.commands import as_typed
from bench.text.units import seconds_text

__all__ = ["Write", "announce", "progress", "summary"]

Write = Callable[[str], None]
Row = Mapping[str, str]
"""Prints one line."""


def announce(run: Run, write: Write) -> None:
    """What is about to happen."""
    left, total = len(run.left), len(run.chosen)
    what = f"{total} experiments" if left == total else f"{left} of {total} experiments are left"
    span = _span(run.seconds_left())
    write(f"run {run.run_id}: {what}, about {span} and start-up; files in {run.files.folder}/")


def progress(run: Run, ended: Experiment, write: Write) -> None:
    """One line when an experiment has ended: which, time left, the leader."""
    rows = run.rows([ended])
    total = len(run.chosen)
    done = f"{total - len(run.left):{len(str(total))}}/{total}"
    troubles = Counter(row["status"] for row in rows if row["status"] not in ("ok", "noisy", "skipped"))
    trouble = "".join(f"; {count} {status}" for status, count in sorted(troubles.items()))
    left = f"{_span(run.seconds_left())} left" if run.left else "done"
    write(f"[{done}] {ended.label}: {_leader(rows)}{trouble}; {left}")


def _span(seconds: float) -> str:
    return f"{seconds:.0f} s" if seconds < 120 else f"{seconds / 60:.0f} min"


def _name(row: Row) -> str:
    return f"{row['backend']}[{row['variant']}]" if row["variant"] else row["backend"]


def _timed(rows: Sequence[Row]) -> list[Row]:
    return [
        row
        for row in rows
        if row["role"] in ("candidate", "baseline") and row["status"] in ("ok", "noisy") and row["time_s"]
    ]


def _leader(rows: Sequence[Row]) -> str:
    timed = _timed(rows)
    if not timed:
        reasons = Counter(row["reason"] for row in rows if row["reason"])
        return f"nothing was timed ({reasons.most_common(1)[0][0] if reasons else 'no arm'})"
    best = min(timed, key=lambda row: float(row["time_s"]))
    ratio = f", {float(best['speedup']):.2f}x {best['baseline']}" if best["speedup"] else ""
    return f"{_name(best)} leads with {seconds_text(float(best['time_s']))}{ratio}"


def summary(run: Run, write: Write, width: int) -> None:
    """The fastest of each experiment, how the cells ended, and where the files are."""
    console = Console(file=io.StringIO(), width=max(width, 110), color_system=None)
    console.print(_table(run))
    for line in str(console.file.getvalue()).splitlines():  # type: ignore[attr-defined]  # a StringIO, as given above
        write(line.rstrip())
    statuses = Counter(row["status"] for row in run.rows())
    write(
        f"{sum(statuses.values())} cells: "
        + ", ".join(f"{count} {name}" for name, count in statuses.most_common())
    )
    tally = run.tally
    if tally.measured:
        write(
            f"{tally.measured} experiments in {_span(tally.wall_s)}, "
            f"start-up {_span(tally.start_up_s)}"
            + (f" ({_span(tally.renewed_s)} for arms that had compiled)" if round(tally.renewed_s) else "")
            + "; "
            f"{100 * tally.timed_share:.0f} % of the rest was spent inside timed rounds; "
            f"{tally.contended} contended batches, {tally.on_slow_cpu} of them on a slow CPU; "
            f"waiting and measuring again took {_span(tally.guarded_s)}"
        )
    if run.left:
        write(f"{len(run.left)} experiments are left: go on with --run-id {run.run_id}")
    write(f"files: {run.files.cells_path}, rounds.csv and environment.json beside it")
    write(as_typed(f"tables: python scripts/summarise.py {run.files.folder}"))


def _table(run: Run) -> Table:
    table = Table(box=None, pad_edge=False, title=None)
    table.add_column("experiment", no_wrap=True)
    table.add_column("time", justify="right", no_wrap=True)
    table.add_column("GB/s", justify="right", no_wrap=True)
    table.add_column("of copy", justify="right", no_wrap=True)
    table.add_column("speed-up", justify="right", no_wrap=True)
    table.add_column("fastest (all that cannot be told apart)", overflow="fold")
    for experiment in run.chosen:
        rows = _timed(run.rows([experiment]))
        if not rows:
            continue
        best = min(rows, key=lambda row: float(row["time_s"]))
        table.add_row(
            experiment.label,
            seconds_text(float(best["time_s"])),
            _number(best["gb_per_s"], "{:.1f}"),
            _number(best["ceiling_fraction"], "{:.0%}"),
            _number(best["speedup"], "{:.2f}x"),
            ", ".join(_name(row) for row in fastest_set(rows)),
        )
    return table


def _number(text: str, form: str) -> str:
    return form.format(float(text)) if text else ""
