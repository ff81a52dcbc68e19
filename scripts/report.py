"""One self-contained HTML page of one or several runs, and SVG figures from the same charts."""

from __future__ import annotations

import argparse
from collections.abc import Mapping, Sequence
from pathlib import Path

import pandas as pd
from rich.console import Console
from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

from bench.records import durable
from bench.records.find_runs import find_runs
from bench.records.reading import ReadError, read_cells
from bench.text.commands import command_line
from bench.text.private import anonymous
from scripts._report.data import COLUMNS, FigureError, reduce
from scripts._report.gains import between_runs, within_runs
from scripts._report.rounds import drawn, rounds_of
from scripts._shared import cli
from scripts._shared.environments import Environment, read_environment, resolve_of
from scripts._shared.filters import add_filters, chosen
from scripts._shared.run_files import files_of_runs, rounds_of_runs
from scripts._shared.summary import prepare, ranked

__all__ = ["main"]

_PAGES = (".html", ".htm")
_EPILOG = """\
RUN is a run's directory, the id of a run under --results, or a CSV file with the columns of cells.csv;
without any, the newest run under --results. Several are put on one page, to be chosen there. Runs of one machine are
compared by their times; machines stand beside each other with their ratios only.

The page opens from disk in any browser and fetches nothing. What is chosen on it stands in its address, as
in report.html#op=relu&n=16Mi&now=torch_eager, and each chart can be saved as SVG, PNG or CSV. The figures are
bandwidth.svg and allocation.svg, of relu forward float32 unless the filters leave something else.

examples:
  python scripts/report.py results/reference/amd-epyc-2c
  python scripts/report.py results/reference/amd-epyc-2c results/reference/amd-epyc-2c-targets --output both.html
  python scripts/report.py results/reference/amd-epyc-2c --ops leaky_relu --dtypes bfloat16
  python scripts/report.py results/reference/amd-epyc-2c --figures figures --png
  python scripts/report.py results/reference/amd-epyc-2c --figures results/reference/amd-epyc-2c/figures --check

exit status: 0; 1 if --check finds that a figure would change; 2 for anything that cannot be done.
"""


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line `argv`; returns the exit status.

    Raises ReadError, UsageError or FigureError, each of one line.
    """
    options = _parse(argv)
    console = Console(stderr=True)
    columns = (SpinnerColumn(), TextColumn("{task.description}"), TimeElapsedColumn())
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as progress:
        step = progress.add_task("reading")
        paths = find_runs(options.run, options.results)
        cells = prepare(read_cells(paths, COLUMNS, sourced=True))
        if options.anonymise:
            cells["reason"] = cells["reason"].map(anonymous)
        cells = ranked(chosen(cells, options))
        if options.output is not None:
            progress.update(step, description="writing the page")
            _write(options.output, _page(cells, paths, hidden=options.anonymise).encode("utf-8"), "--output")
        progress.update(step, description="drawing the figures")
        files = _files(cells, png=options.png) if options.figures is not None else {}
    if options.output is not None:
        print(f"{options.output}: {options.output.stat().st_size / 1e6:.1f} MB, {len(cells):,} cells")
    return _figures(options.figures, files, check=options.check) if files else 0


def _parse(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = cli.Parser(description=__doc__ or "", epilog=_EPILOG)
    parser.add_argument("run", nargs="*", metavar="RUN", help="what to read (default: the newest run)")
    parser.add_argument("--results", type=Path, default=Path("results"), metavar="DIR", help="where runs lie")
    parser.add_argument(
        "--output",
        type=Path,
        metavar="FILE",
        help="the page (default: report.html, or none if --figures is given)",
    )
    parser.add_argument(
        "--anonymise",
        action="store_true",
        help="show no name of this host or user, and of paths only the last part",
    )
    parser.add_argument("--figures", type=Path, metavar="DIR", help="write SVG figures there")
    parser.add_argument("--png", action="store_true", help="with --figures: PNG files as well")
    parser.add_argument("--check", action="store_true", help="with --figures: write nothing, only tell")
    add_filters(parser)
    options = parser.parse_args(argv)
    if options.figures is None:
        for name in ("png", "check"):
            if getattr(options, name):
                parser.error(f"--{name} needs --figures DIR")
        options.output = options.output or Path("report.html")
    if options.check and (options.output is not None or options.png):
        parser.error("--check compares SVG figures and writes nothing; leave out --output and --png")
    if options.output is not None and options.output.suffix.lower() not in _PAGES:
        parser.error(f"--output {options.output}: the page is HTML; give it a name that ends in .html")
    return options


def _page(cells: pd.DataFrame, paths: Sequence[Path], *, hidden: bool) -> str:
    """The page of `cells`, which are those of the files `paths`, or some of them."""
    with cli.needing("the page"):
        from scripts._report.page import render  # noqa: PLC0415  # packages that only draw may be missing
        from scripts._report.payload import payload  # noqa: PLC0415
    reduced = reduce(cells)
    by_run = files_of_runs(cells, paths)
    found = rounds_of_runs(by_run)
    rounds = rounds_of(reduced.cells, found)
    resolves = {run: resolve_of(read_environment(path)) for run, path in by_run.items()}
    parts = within_runs(reduced.cells, rounds, resolves), between_runs(cells, reduced.cells, found)
    shown, left = drawn(rounds)
    data = payload(cells, reduced.cells, shown, [gain for gains, _ in parts for gain in gains])
    notes = [*reduced.notes, *left, *(line for _, lines in parts for line in lines)]
    machines = _machines(paths)
    return render(cells, data, notes, anonymous(machines) if hidden else machines)


def _machines(paths: Sequence[Path]) -> list[tuple[str, Environment | None]]:
    """Each run's name with its environment.json; a file that is not in a run's directory goes by its own name."""
    names = (path.resolve().parent.name if path.name == "cells.csv" else path.name for path in paths)
    return [(name, read_environment(path)) for name, path in zip(names, paths, strict=True)]


def _files(cells: pd.DataFrame, *, png: bool) -> dict[str, bytes]:
    with cli.needing("a figure"):
        from scripts._report.figures import figures  # noqa: PLC0415  # as above
        from scripts._shared.drawing import as_png, as_svg  # noqa: PLC0415
    specs = figures(cells)
    files = {f"{name}.svg": as_svg(spec).encode("utf-8") for name, spec in specs.items()}
    if png:
        files |= {f"{name}.png": as_png(spec) for name, spec in specs.items()}
    return files


def _figures(folder: Path, files: Mapping[str, bytes], *, check: bool) -> int:
    """Write what differs, or tell; returns the exit status.  A folder that is not there is made, and that is told."""
    if not check and not folder.exists() and folder.parent.is_dir():
        folder.mkdir()
        print(f"{folder}: created")
    status = 0
    for name, content in files.items():
        path = folder / name
        try:
            same = path.is_file() and path.read_bytes() == content
        except OSError as error:
            raise cli.UsageError(f"--figures {path}: {error.strerror}") from error
        if same:
            print(f"{path}: up to date")
        elif check:
            status = 1
            what = "out of date" if path.exists() else "missing"
            print(f"{path}: {what}; run this again without --check, with the packages of constraints.txt")
        else:
            _write(path, content, "--figures")
            print(f"{path}: written")
    return status


def _write(path: Path, content: bytes, option: str) -> None:
    """Put `content` at `path`, all of it or nothing; its folder must be there."""
    folder = path.parent
    if not folder.exists():
        make = command_line("mkdir", "-p", folder)
        raise cli.UsageError(f"{option} {path}: there is no folder {folder}; create it first: {make}")
    try:
        durable.replace(path, content)
    except OSError as error:
        raise cli.UsageError(f"{option} {path}: cannot be written: {error.strerror}") from error


if __name__ == "__main__":
    cli.run(main, (ReadError, cli.UsageError, FigureError))
