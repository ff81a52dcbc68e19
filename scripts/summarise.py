"""Tables of one or several runs: the fastest set of each case, speed-ups, ceilings, fitted lines."""

from __future__ import annotations

import argparse
import itertools
import shutil
import sys
from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from bench.records.find_runs import find_runs, has_rows
from bench.records.reading import ReadError, read_cells, read_rounds
from bench.text.commands import command_line
from scripts._shared import cli
from scripts._shared.explain import EXPLAINED, explained, labels
from scripts._shared.filters import add_filters, chosen
from scripts._shared.fleet import SCALING_COLUMNS, machines_of
from scripts._shared.fleet_tables import FLEET_FIGURES, FLEET_TABLES
from scripts._shared.markers import MarkerError, update
from scripts._shared.render import as_latex, as_markdown, to_terminal, write_csv
from scripts._shared.sections import Report
from scripts._shared.summary import arms, fastest, fits, needed_of, prepare, ranked
from scripts._shared.tables import ALL_TABLES, TABLES, Screen, report

__all__ = ["main"]

_ALL = "all"
_WIDE = 120
"""Columns in a pipe."""
_LINES = 38
"""Lines of the overview's tables: with what stands around them they fit on a screen of 60."""
_FORMATS = ("terminal", "markdown", "csv", "latex")
_RESULTS = Path("results")
_EPILOG = """\
RUN is a run's directory, the id of a run under --results, or a CSV file with the columns of cells.csv,
whoever wrote it; without any, the newest run under --results. Several are read as one; those of several machines
stand in tables of their own, and beside each other with their ratios only, for times of two machines say little.

tables: overview (one screen: sizes and placements for each op and direction), fastest (the fastest set of each case),
arms (every implementation), fits (latency and bandwidth, where a line fits the sizes), headline (fastest, in few
columns and without a legend), all (fastest,arms,fits). Of several machines: machines (what is fastest where, and how
much it is worth), speedups (each implementation over the baseline, a column a machine), scaling (over threads, and over
cores).

examples:
  python scripts/summarise.py results/reference/amd-epyc-2c
  python scripts/summarise.py results/reference/amd-epyc-2c --tables all
  python scripts/summarise.py results/reference/* --ops relu --dtypes float32 --sizes 1Ki,1Mi
  python scripts/summarise.py here-2c there-64c --tables machines,speedups,scaling --ops relu
  python scripts/summarise.py --explain relu-forward-new-float32-1Mi-numba_jit
  python scripts/summarise.py results/reference/amd-epyc-2c/cells.csv --format csv --tables fits > fits.csv
  python scripts/summarise.py results/reference/amd-epyc-2c --tables fastest,arms,fits \\
      --update results/reference/amd-epyc-2c/TABLES.md --check

exit status: 0; 1 if --check finds that the file would change; 2 for anything that cannot be done.
"""


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line `argv`; returns the exit status.

    Raises ReadError, UsageError or MarkerError, each of one line.
    """
    options = _parse(argv)
    if options.explain is not None:
        to_terminal(Report(intro=_explained(options)))
        return 0
    asked = options.tables or _usual_tables(options.format, True)
    columns = (*needed_of(asked), *(SCALING_COLUMNS if "scaling" in asked else ()))
    cells = ranked(chosen(prepare(read_cells(find_runs(options.run, options.results), columns)), options))
    tables = options.tables or _usual_tables(options.format, len(machines_of(cells)) > 1)
    if options.format == "csv":
        write_csv(_figures(cells, tables[0], options.limit))
        return 0
    terminal = options.format == "terminal"
    screen = _screen(options.limit) if terminal else None
    summary = report(cells, tables, options.limit, screen, FLEET_TABLES)
    if options.update is not None:
        return update(options.update, as_markdown(summary), "summary", check=options.check)
    if terminal:
        to_terminal(summary)
        where = [] if options.results == _RESULTS else ["--results", options.results]
        explain = ("scripts/summarise.py", *options.run, *where, "--explain", labels(cells[:1])[0])
        print(f"\nHow a row came about, and why: {command_line('python', *explain)}")
    else:
        sys.stdout.write(as_markdown(summary) if options.format == "markdown" else as_latex(summary))
    return 0


def _parse(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = cli.Parser(description=__doc__ or "", epilog=_EPILOG)
    parser.add_argument("run", nargs="*", metavar="RUN", help="what to read (default: the newest run)")
    parser.add_argument("--results", type=Path, default=_RESULTS, metavar="DIR", help="where runs lie")
    parser.add_argument("--format", type=cli.one_of(_FORMATS), metavar="F", help=f"{', '.join(_FORMATS)}")
    parser.add_argument(
        "--tables",
        type=cli.comma_list((*TABLES, *FLEET_TABLES, _ALL)),
        metavar="A,B",
        help=f"which, in which order: {', '.join((*TABLES, *FLEET_TABLES))}, {_ALL} (default: overview; in markdown and"
        f" latex {_ALL}; of several machines machines besides; in csv one: arms)",
    )
    add_filters(parser)
    parser.add_argument(
        "--explain",
        metavar="CELL",
        help="say in words how a row came about, and why; CELL is its name in a run, or a part that no other has",
    )
    parser.add_argument("--limit", type=cli.count, metavar="N", help="rows of a table at most; 0: all")
    parser.add_argument(
        "--update", type=Path, metavar="FILE", help="put the markdown between the markers in FILE"
    )
    parser.add_argument("--check", action="store_true", help="with --update: write nothing, only tell")
    options = parser.parse_args(argv)
    if options.update is not None and options.format not in (None, "markdown"):
        parser.error(f"--update writes markdown; leave out --format {options.format}")
    if options.explain is not None and (options.format, options.tables, options.update) != (None, None, None):
        parser.error("--explain says sentences; leave out --format, --tables and --update")
    if options.check and options.update is None:
        parser.error("--check needs --update FILE, the file to check")
    options.format = options.format or "terminal"
    options.tables = _tables(options)
    if options.format == "csv" and len(options.tables or ()) > 1:
        parser.error(f"--format csv writes one table; name one of {', '.join(options.tables)} with --tables")
    return options


def _explained(options: argparse.Namespace) -> list[str]:
    paths = find_runs(options.run, options.results)
    cells = ranked(chosen(prepare(read_cells(paths, EXPLAINED)), options))
    beside = [path.with_name("rounds.csv") for path in paths if path.name == "cells.csv"]
    rounds = [path for path in beside if has_rows(path)]
    return explained(cells, options.explain, read_rounds(rounds) if rounds else None)


def _tables(options: argparse.Namespace) -> tuple[str, ...] | None:
    """Those that are named; None where none is."""
    if options.tables is None:
        return None
    named = (ALL_TABLES if name == _ALL else (name,) for name in options.tables)
    return tuple(dict.fromkeys(itertools.chain.from_iterable(named)))


def _usual_tables(form: str, several_machines: bool) -> tuple[str, ...]:
    """Those that are shown where none is named."""
    if form == "csv":
        return ("arms",)
    usual: tuple[str, ...] = ("overview",) if form == "terminal" else ALL_TABLES
    return (*usual, "machines") if several_machines else usual


def _screen(limit: int | None) -> Screen:
    """What the overview may take, beside the lines around it."""
    width = shutil.get_terminal_size((_WIDE, 0)).columns if sys.stdout.isatty() else _WIDE
    return Screen(width, None if limit == 0 else limit or _LINES)


def _figures(cells: pd.DataFrame, table: str, limit: int | None) -> pd.DataFrame:
    def keep(total: int) -> int:
        return min(total, limit or total)

    if table == "arms":
        return arms(cells, keep, timed_only=False)[0]
    if table in FLEET_FIGURES:
        every = FLEET_FIGURES[table](cells)
        return every.iloc[: keep(len(every))]
    return (fits if table == "fits" else fastest)(cells, keep)[0]


if __name__ == "__main__":
    cli.run(main, (ReadError, cli.UsageError, MarkerError))
