"""What changed between two runs, cell by cell, and how sure that is."""

from __future__ import annotations

import argparse
import io
import sys
from collections.abc import Sequence
from pathlib import Path

from bench.records.find_runs import find_runs, has_rows
from bench.records.reading import ReadError, read_cells, read_rounds
from bench.stats.comparison import NEEDED, Comparison, Side, compare
from bench.text.units import percent_text
from scripts._compare.changes import blocks, legend, summary
from scripts._compare.dashboards import as_bencher, as_github
from scripts._shared import cli
from scripts._shared.environments import differences, read_environment, remarks
from scripts._shared.remarks import clean, run_lines
from scripts._shared.render import as_markdown, to_terminal, write_csv
from scripts._shared.tables import Report

__all__ = ["main"]

_FORMATS = ("terminal", "markdown", "csv", "github", "bencher")
_DASHBOARDS = {"github": as_github, "bencher": as_bencher}
_EPILOG = """\
OLD and NEW are a run's directory, the id of a run under --results, or a CSV file with the columns of
cells.csv. Where rounds.csv lies beside cells.csv, the errors come from its rounds. A single comparison may call
cells changed that are not: measure both again before you act on one.

examples, first with two runs to compare, then with one run compared with itself:
  pytest bench/ --run-id before && pytest bench/ --run-id after && python scripts/compare.py before after
  python scripts/compare.py results/reference/amd-epyc-2c results/reference/amd-epyc-2c --threshold 0.1
  python scripts/compare.py results/reference/amd-epyc-2c results/reference/amd-epyc-2c-targets \\
      --allow-different-environment --threshold 0.2
  python scripts/compare.py results/reference/amd-epyc-2c results/reference/amd-epyc-2c \\
      --format csv --output changes.csv

--format github is what github-action-benchmark calls customSmallerIsBetter; bencher is for bencher's --adapter json.
Both write the times of NEW, in ns; the verdict is a line on stderr.

exit status: 0; 1 for a regression (a significant slowdown beyond --threshold, or a worse status);
2 for anything that cannot be done, and for different environments.
"""


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line `argv`; returns the exit status.

    Raises ReadError or UsageError.
    """
    options = _parse(argv)
    paths = [_path(name, options.results) for name in (options.old, options.new)]
    old, new = (_load(path) for path in paths)
    notes = _check_environments(paths, old, new, allowed=options.allow_different_environment)
    found = compare(old, new, relative=options.relative, threshold=options.threshold)
    _check_compared(found, relative=options.relative)
    outcome = summary(found, options.threshold)
    if options.format == "terminal" and options.output is None:
        to_terminal(_report(found, old, new, [outcome, *notes], options))
    else:
        _write(options.output, _text(found, old, new, [outcome, *notes], options))
    if options.output is not None or options.format not in ("terminal", "markdown"):
        print(outcome, file=sys.stderr)
    return int(found.cells["regression"].any())


def _parse(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = cli.Parser(description=__doc__ or "", epilog=_EPILOG)
    parser.add_argument("old", metavar="OLD", help="the run that counts as before")
    parser.add_argument("new", metavar="NEW", help="the run that counts as after")
    parser.add_argument("--results", type=Path, default=Path("results"), metavar="DIR", help="where runs lie")
    parser.add_argument(
        "--threshold",
        type=cli.number(0, 1),
        default=0.05,
        metavar="X",
        help="slowdowns up to this fraction are no regression (default 0.05: 5 %%)",
    )
    parser.add_argument(
        "--relative",
        action="store_true",
        help="compare speed-ups over the baseline, which a faster or slower machine leaves as they are",
    )
    parser.add_argument(
        "--allow-different-environment",
        action="store_true",
        help="compare even if machine or software differ",
    )
    parser.add_argument(
        "--format", type=cli.one_of(_FORMATS), default="terminal", metavar="F", help=", ".join(_FORMATS)
    )
    parser.add_argument("--output", type=Path, metavar="FILE", help="write there instead of standard output")
    parser.add_argument("--all", action="store_true", help="list every compared cell, not only the changed")
    parser.add_argument(
        "--limit",
        type=cli.count,
        default=50,
        metavar="N",
        help="rows of a table at most; 0: all (default 50)",
    )
    return parser.parse_args(argv)


def _path(name: str, results: Path) -> Path:
    return find_runs([name], results)[0]


def _load(path: Path) -> Side:
    """The run at `path`, with the rounds that lie beside it if they are its own."""
    cells = read_cells([path], NEEDED)
    for column in ("run_id", "machine"):
        values = [clean(str(value)) for value in cells[column].unique()]
        if len(values) > 1:
            raise cli.UsageError(
                f"{path}: {len(values)} values of {column} ({', '.join(values[:3])}"
                f"{', ...' if values[3:] else ''}); a comparison takes one run on each side: split the file"
            )
    beside = path.with_name("rounds.csv")
    if path.name != "cells.csv" or not has_rows(beside):
        return Side(cells)
    rounds = read_rounds([beside])
    return Side(cells, rounds[rounds["run_id"] == cells["run_id"].iloc[0]])


def _check_environments(paths: Sequence[Path], old: Side, new: Side, *, allowed: bool) -> list[str]:
    """What to say about the environments; UsageError if they differ and that is not `allowed`."""
    found = [read_environment(path) for path in paths]
    lines = differences(found[0], found[1])
    machines = [clean(str(run.cells["machine"].iloc[0])) for run in (old, new)]
    if machines[0] != machines[1] and not any(line.startswith("machine:") for line in lines):
        lines.insert(0, f"machine: {machines[0]} in OLD, {machines[1]} in NEW")
    if lines and not allowed:
        head = "the environments differ; --allow-different-environment compares all the same"
        raise cli.UsageError("\n  ".join([head, *lines]))
    return [*(f"Environments differ: {line}." for line in lines), *remarks(found[0], found[1])]


def _check_compared(found: Comparison, *, relative: bool) -> None:
    """A comparison of nothing must not pass for one without regressions."""
    if found.cells["p_value"].notna().any() or found.cells["change"].isin(("failed", "recovered")).any():
        return
    counts = found.cells["change"].value_counts().to_dict()
    ways = "; --relative needs speed-ups over the same baseline on both sides" if relative else ""
    text = ", ".join(f"{count:,} {name}" for name, count in counts.items()) or "the baseline stands alone"
    raise cli.UsageError(
        f"nothing to compare: no cell has a time and an interval in both runs ({text}){ways}"
    )


def _text(found: Comparison, old: Side, new: Side, lines: Sequence[str], options: argparse.Namespace) -> str:
    if options.format in _DASHBOARDS:
        return _DASHBOARDS[options.format](new.cells)
    text = io.StringIO()
    if options.format == "csv":
        write_csv(found.cells, text)
        return text.getvalue()
    report = _report(found, old, new, lines, options)
    if options.format == "markdown":
        return as_markdown(report)
    to_terminal(report, text)
    return text.getvalue()


def _write(path: Path | None, text: str) -> None:
    if path is None:
        sys.stdout.write(text)
        return
    try:
        path.write_text(text, encoding="utf-8", newline="")
    except OSError as error:
        raise cli.UsageError(f"--output {path}: {error.strerror or error}") from error


def _report(
    found: Comparison, old: Side, new: Side, lines: Sequence[str], options: argparse.Namespace
) -> Report:
    names = zip(("Old", "New"), (old, new), strict=True)
    intro = [f"{name}: {line}" for name, run in names for line in run_lines(run.cells)]
    intro.append(f"Threshold of a regression: {percent_text(options.threshold)}.")
    return Report(
        intro=[*intro, *lines],
        blocks=blocks(found, options.limit, everything=options.all),
        legend=legend(found, relative=options.relative),
    )


if __name__ == "__main__":
    cli.run(main, (ReadError, cli.UsageError))
