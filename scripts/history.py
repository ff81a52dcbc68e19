"""Since when is it slower? One case over many runs of a machine, and where its times changed for good."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from bench.records.find_runs import find_runs
from bench.records.reading import ReadError
from bench.stats.change_points import courses
from bench.stats.run_estimates import arms_of
from kernels.api import AXIS_TABLE, Case
from scripts._history.runs import PastRun, load
from scripts._history.said import History, as_report, figures
from scripts._shared import cli
from scripts._shared.filters import add_axes, asked_case
from scripts._shared.render import as_markdown, to_terminal, write_csv
from scripts._shared.run_files import cells_under
from scripts._shared.stored import write_text

__all__ = ["main"]

_FORMATS = ("terminal", "markdown", "csv")
_ASKED = tuple(axis for axis in AXIS_TABLE if axis.name != "n")
_EPILOG = """\
RUN is a run's directory, the id of a run under --results, or a CSV file with the columns of cells.csv; without any,
all runs under --results. They are put in the order in which they were measured. Times of two machines are never
compared: where the runs are of several, --machine chooses one.

A change is where the runs before and those after differ as two sides of runs have to for scripts/compare.py. A single
run that differs is no change, for runs of the same code differ; the newest one that does is told as "perhaps".
What else changed with that run (commit, packages, kernel) stands beside it.

examples:
  python scripts/history.py --n 16Mi --placement out
  python scripts/history.py --n 16Mi --backends numba_tuned,torch_eager --svg history.svg
  python scripts/history.py results/reference/amd-epyc-2c --n 16Mi

exit status: 0; 2 for anything that cannot be done.
"""


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line `argv`; returns the exit status.  Raises ReadError or UsageError, each of one line."""
    options = _parse(argv)
    case = asked_case(options, _ASKED, n=options.n)
    paths = find_runs(options.run, options.results) if options.run else cells_under(options.results)
    if not paths:
        raise cli.UsageError(f"no run under {options.results}/: name the runs to read")
    runs, notes = load(paths, case, options.machine)
    history = _history(case, runs, options)
    if options.svg is not None:
        _draw(history, options.svg)
    if options.format == "csv":
        write_csv(figures(history))
        return 0
    report = as_report(history, notes, options.threshold)
    if options.format == "markdown":
        sys.stdout.write(as_markdown(report))
    else:
        to_terminal(report)
    return 0


def _parse(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = cli.Parser(description=__doc__ or "", epilog=_EPILOG)
    parser.add_argument("run", nargs="*", metavar="RUN", help="what to read (default: all runs)")
    parser.add_argument("--results", type=Path, default=Path("results"), metavar="DIR", help="where runs lie")
    parser.add_argument("--n", type=cli.size, required=True, metavar="N", help="elements: 1000, 1Ki, 4Mi")
    add_axes(parser, _ASKED, {})
    parser.add_argument("--machine", metavar="NAME", help="runs of this machine only")
    parser.add_argument("--backends", type=cli.comma_list(), metavar="A,B", help="only these backends")
    parser.add_argument(
        "--threshold",
        type=cli.number(0, 1),
        default=0.05,
        metavar="X",
        help="changes up to this fraction are none (default 0.05: 5 %%)",
    )
    parser.add_argument(
        "--format", type=cli.one_of(_FORMATS), default="terminal", metavar="F", help=", ".join(_FORMATS)
    )
    parser.add_argument("--svg", type=cli.writable, metavar="FILE", help="draw it there as well")
    return parser.parse_args(argv)


def _history(case: Case, runs: Sequence[PastRun], options: argparse.Namespace) -> History:
    frames = [arms_of(run.side, relative=False) for run in runs]
    found = courses(frames, options.threshold)
    if options.backends is not None:
        known = sorted({backend for backend, _ in found})
        for name in options.backends:
            if name not in known:
                raise cli.UsageError(f"--backends: no run timed {name!r} here; there is {', '.join(known)}")
        found = {arm: course for arm, course in found.items() if arm[0] in options.backends}
    return History(case, runs, found)


def _draw(history: History, path: Path) -> None:
    with cli.needing("a drawing"):
        from scripts._history.chart import spec_of  # noqa: PLC0415  # packages that only draw may be missing
        from scripts._shared.drawing import as_svg  # noqa: PLC0415

    try:
        write_text(path, as_svg(spec_of(history)))
    except OSError as error:
        raise cli.UsageError(f"--svg {path}: {error.strerror or error}") from error
    print(f"{path}: written", file=sys.stderr)


if __name__ == "__main__":
    cli.run(main, (ReadError, cli.UsageError))
