"""What changed between two runs, or two sides of several runs, cell by cell, and how sure that is."""

from __future__ import annotations

import argparse
import io
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from bench.plan.options import OptionError
from bench.records.reading import ReadError
from bench.records.schema import RUN_FILES
from bench.stats.comparison import Comparison, compare_arms
from bench.stats.confirmation import confirm
from bench.text.units import percent_text
from scripts._compare.again import measured_again, plan
from scripts._compare.changes import blocks, legend, summary
from scripts._compare.dashboards import as_bencher, as_github
from scripts._compare.loading import LoadedRun, between_machines, check_environments, load, sides
from scripts._compare.recipes import plugins_of, recipes
from scripts._shared import cli
from scripts._shared.remarks import run_lines
from scripts._shared.render import as_markdown, to_terminal, write_csv
from scripts._shared.sections import Report
from scripts._shared.stored import write_text

__all__ = ["main"]

_FORMATS = ("terminal", "markdown", "csv", "github", "bencher")
_DASHBOARDS = {"github": as_github, "bencher": as_bencher}
_EPILOG = """\
OLD and NEW are a run's directory, the id of a run under --results, or a CSV file with the columns of
cells.csv. Where rounds.csv lies beside cells.csv, the errors come from its rounds.

Times of two machines are never compared: of runs of two, --relative compares the speed-ups over the baseline.

Runs of the same code differ: one cell in a hundred jumps by 5 to 15 %. So one run a side calls few changes, and
lists what is suspected. Several runs a side, or --confirm, tell changes from jumps. --confirm measures the suspected
cells again, in new processes: old and new side by side where the code of both is here (two folders, or two values
of environment variables), else NEW alone.

examples, first with two runs to compare, then with one run compared with itself:
  pytest bench/ --run-id before && pytest bench/ --run-id after && python scripts/compare.py before after
  python scripts/compare.py before before2 --new after after2
  python scripts/compare.py before after --confirm --old-path ../my-kernels-before --new-path ../my-kernels
  python scripts/compare.py results/reference/amd-epyc-2c results/reference/amd-epyc-2c --threshold 0.1
  python scripts/compare.py results/reference/amd-epyc-2c results/reference/amd-epyc-2c-targets \\
      --relative --allow-different-environment --threshold 1
  python scripts/compare.py results/reference/amd-epyc-2c results/reference/amd-epyc-2c \\
      --format csv --output changes.csv

--format github is what github-action-benchmark calls customSmallerIsBetter; bencher is for bencher's --adapter json.
Both write the times of NEW, in ns; the verdict is a line on stderr.

exit status: 0; 1 for a regression (a significant slowdown of a cell, or of an implementation as a whole, beyond
--threshold, or a worse status);
2 for anything that cannot be done, and for different environments.
"""


@dataclass(frozen=True, slots=True)
class _Compared:
    """What there is to say."""

    found: Comparison
    old: Sequence[LoadedRun]
    new: Sequence[LoadedRun]
    lines: Sequence[str]


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line `argv`; returns the exit status.

    Raises ReadError, UsageError, OptionError or RunFilesError.
    """
    options = _parse(argv)
    _check_folders(options)
    old, new = _runs(options)
    notes = check_environments(old, new, allowed=options.allow_different_environment)
    found = compare_arms(
        (run.arms() for run in old),
        (run.arms() for run in new),
        relative=options.relative,
        threshold=options.threshold,
    )
    _check_compared(found, relative=options.relative)
    if options.confirm:
        found, said = _confirmed(found, old, new, options)
        notes = [said, *notes]
    outcome = summary(found, options.threshold)
    compared = _Compared(found, old, new, [outcome, *notes])
    if options.format == "terminal" and options.output is None:
        to_terminal(_report(compared, options))
    else:
        _write(options.output, _text(compared, options))
    if options.output is not None or options.format not in ("terminal", "markdown"):
        print(outcome, file=sys.stderr)
    return int(found.cells["regression"].any() or found.implementations["regression"].any())


def _runs(options: argparse.Namespace) -> tuple[Sequence[LoadedRun], Sequence[LoadedRun]]:
    """Those of both sides, if they can be compared as is asked."""
    whole = options.format in _DASHBOARDS
    old, new = (
        load(names, options.results, relative=options.relative, whole=whole)
        for names in sides(options.runs, options.new)
    )
    if options.format in _DASHBOARDS and len(new) > 1:
        raise cli.UsageError(f"--format {options.format} writes the times of one run; give one run of NEW")
    _check_output(options.output, [run.path for run in (*old, *new)])
    return between_machines(old, new, relative=options.relative, confirm=options.confirm)


def _parse(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = cli.Parser(description=__doc__ or "", epilog=_EPILOG)
    parser.add_argument(
        "runs", nargs="*", metavar="RUN", help="OLD and NEW; with --new: all runs that count as before"
    )
    parser.add_argument(
        "--new",
        nargs="+",
        default=[],
        metavar="RUN",
        help="the runs that count as after, where a side has several",
    )
    parser.add_argument("--results", type=Path, default=Path("results"), metavar="DIR", help="where runs lie")
    parser.add_argument(
        "--threshold",
        type=cli.number(0, 1),
        default=0.05,
        metavar="X",
        help="differences up to this fraction are none, and slowdowns no regression (default 0.05: 5 %%)",
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
    _add_confirm(parser)
    _add_output(parser)
    return parser.parse_args(argv)


def _add_confirm(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--confirm",
        action="store_true",
        help="measure suspected cells again, here and now, and judge by that alone",
    )
    for side in ("old", "new"):
        parser.add_argument(
            f"--{side}-path",
            type=Path,
            metavar="DIR",
            help=f"with --confirm: import the code of {side.upper()} from this folder first",
        )


def _add_output(parser: argparse.ArgumentParser) -> None:
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


def _check_folders(options: argparse.Namespace) -> None:
    for name, path in (("--old-path", options.old_path), ("--new-path", options.new_path)):
        if path is not None and not options.confirm:
            raise cli.UsageError(f"{name} is of use with --confirm only; add it")
        if path is not None and not path.is_dir():
            raise cli.UsageError(
                f"{name}: {str(path)!r} is no folder; name the one that code is imported from"
            )


def _check_output(output: Path | None, read: Sequence[Path]) -> None:
    """What is compared must not be lost in what comes of it."""
    if (
        output is not None
        and output.exists()
        and (output.name in RUN_FILES or any(map(output.samefile, read)))
    ):
        raise cli.UsageError(f"--output {output}: a file of a run; name another, to keep it")


def _confirmed(
    found: Comparison, old: Sequence[LoadedRun], new: Sequence[LoadedRun], options: argparse.Namespace
) -> tuple[Comparison, str]:
    """The comparison with its suspected cells measured again, and what to say of that."""
    before, after = recipes(old, new, options.old_path, options.new_path)
    baseline = str(new[0].cells["baseline"].iloc[0])
    plans = plan(found, before, after, baseline, relative=options.relative)
    if not plans:
        return confirm(found, {}, options.threshold), "Nothing is suspected, so nothing was measured again."
    again = measured_again(plans, plugins_of(old, new), options.results)
    return confirm(found, again.cells, options.threshold), again.said


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


def _text(compared: _Compared, options: argparse.Namespace) -> str:
    if options.format in _DASHBOARDS:
        return _DASHBOARDS[options.format](compared.new[0].cells)
    text = io.StringIO()
    if options.format == "csv":
        write_csv(compared.found.cells, text)
        return text.getvalue()
    report = _report(compared, options)
    if options.format == "markdown":
        return as_markdown(report)
    to_terminal(report, text)
    return text.getvalue()


def _write(path: Path | None, text: str) -> None:
    if path is None:
        sys.stdout.write(text)
        return
    try:
        write_text(path, text)
    except OSError as error:
        raise cli.UsageError(f"--output {path}: {error.strerror or error}") from error


def _report(compared: _Compared, options: argparse.Namespace) -> Report:
    named = [("Old", run) for run in compared.old] + [("New", run) for run in compared.new]
    intro = [f"{name}: {line}" for name, run in named for line in run_lines(run.cells)]
    intro.append(f"Threshold of a regression: {percent_text(options.threshold)}.")
    return Report(
        intro=[*intro, *compared.lines],
        blocks=blocks(compared.found, options.limit, everything=options.all),
        legend=legend(compared.found, options.threshold, relative=options.relative),
    )


if __name__ == "__main__":
    cli.run(main, (ReadError, cli.UsageError, OptionError))
