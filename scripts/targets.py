"""What numba_tuned promises, and what it reached.

Without --run it measures each case of the table as `pytest bench/` would, with torch_eager as the baseline. The table
is made from the files of the run.
"""

from __future__ import annotations

import argparse
import sys
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from bench.plan.options import OptionError
from bench.records.reading import ReadError
from bench.stats.verdicts import RESOLVE
from bench.text.sizes import format_size
from bench.text.units import count_text, number_text, percent_text, ratio_text
from scripts._plugins.forward_backward import PAIRS
from scripts._shared import cli
from scripts._shared.markers import MarkerError, update
from scripts._shared.measured import Figures, add_run_options, measure, settings_of
from scripts._shared.render import as_markdown, to_terminal
from scripts._shared.sections import Block, Report, Section
from scripts._shared.validation import add_page_options
from scripts._targets.goals import ROWS, Standing, case_text, experiments, kept_share, standing, targets

__all__ = ["main"]

_SECONDS = 400.0
"""Of a whole run, where nobody says how many."""
_LARGE = 1 << 26
"""Elements of the largest cases: far more than caches hold."""
_KEPT = 1 / 16
"""The share of x that the pair may keep for backward."""
_FORMATS = ("terminal", "markdown")
_HEADERS = ("row", "case", "against", "at least", "reached", "verdict", "limit")
_EPILOG = """\
rows: forward-out, forward-new, backward-out (64Mi float32 elements), pair (forward that saves what backward
needs, and backward), 16Ki, tiny (1 to 1Ki), half (float16, bfloat16), layouts (strided, transposed).

examples:
  python scripts/targets.py
  python scripts/targets.py --rows tiny,16Ki --strict
  python scripts/targets.py --large 4Mi                      # on a machine with little memory
  python scripts/targets.py --run results/reference/amd-epyc-2c-targets
  python scripts/targets.py --run results/reference/amd-epyc-2c-targets \\
      --update results/reference/amd-epyc-2c-targets/TARGETS.md --check

exit status: 0; 1 with --strict if a target is not reached or was not measured, or if --check finds that the file would
change; 2 for what cannot be done.
"""
_LEGEND = (
    "at least, reached: the time of the fastest of `against` over that of numba_tuned, round by round, with its 95 % "
    "interval; for the copy ceiling, the share of the bandwidth at which the same bytes were copied beside it.",
    f"verdict: at the target within {percent_text(RESOLVE)}, or reached or not reached beyond doubt; unresolved: the "
    "measurement shows none of these.",
    "limit: the bytes that our call moves, and what the fastest copy of the same experiment would take for as many "
    "(placement new: of the same case into a given array, as a copy that allocates pays for fresh pages).",
    "pair: a forward that saves what its backward needs, and that backward; `against` both of torch_eager's.",
)


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line `argv`; returns the exit status.

    Raises OptionError, RunFilesError, ReadError, MarkerError or UsageError, each of one line.
    """
    options = _parse(argv)
    run, large = options.run, options.large or _LARGE
    if run is None:
        wanted = experiments(targets(options.rows, large))
        run = str(measure(settings_of(options, "targets", _SECONDS), wanted, PAIRS))
    figures = Figures(run, Path(options.results))
    if options.run is not None and options.large is None:
        large = figures.largest()
    found = [standing(target, figures) for target in targets(options.rows, large)]
    report = _report(found, figures, large)
    if options.update is not None:
        return update(options.update, as_markdown(report), "targets", check=options.check)
    if options.format == "markdown":
        sys.stdout.write(as_markdown(report))
    else:
        to_terminal(report)
    missed = any(each.verdict in ("not reached", "not measured") for each in found)
    return int(options.strict and missed)


def _parse(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = cli.Parser(description=__doc__ or "", epilog=_EPILOG)
    parser.add_argument(
        "--rows", type=cli.comma_list(tuple(ROWS)), default=tuple(ROWS), metavar="A,B", help="default: all"
    )
    parser.add_argument(
        "--large",
        type=cli.size,
        metavar="N",
        help="elements of large arrays (default 64Mi; with --run, the run's)",
    )
    add_run_options(parser, _SECONDS)
    parser.add_argument(
        "--format", type=cli.one_of(_FORMATS), default="terminal", metavar="F", help=", ".join(_FORMATS)
    )
    parser.add_argument("--strict", action="store_true", help="exit status 1 if a target is missed")
    add_page_options(parser)
    options = parser.parse_args(argv)
    if options.run is not None and (options.run_id or options.max_seconds):
        parser.error("--run reads a run that exists; leave out --run-id and --max-seconds")
    if options.check and (options.run is None or options.update is None):
        parser.error("--check needs --run RUN, what was measured, and --update FILE, the file to check")
    return options


def _report(found: Sequence[Standing], figures: Figures, large: int) -> Report:
    rows = [row for each in found for row in _lines(each)]
    counts = Counter(each.verdict for each in found)
    said = ", ".join(f"{count} {verdict}" for verdict, count in counts.most_common())
    right = (False, False, False, True, True, False, False)
    intro = [f"Run {figures.run_id} on {figures.machine}: {count_text(len(found), 'target')}, {said}."]
    if large != _LARGE:
        intro.append(f"Large arrays have {format_size(large)} elements here; the targets were set for 64Mi.")
    return Report(
        intro=intro,
        blocks=[Block("Targets", [Section("numba_tuned", _HEADERS, rows, right)])],
        legend=list(_LEGEND),
    )


def _lines(each: Standing) -> list[tuple[str, ...]]:
    target, figure = each.target, each.figure
    wanted = number_text(target.at_least, 2 if target.at_least < 1 else 3) + "x"
    other = target.against or each.other
    if target.against and each.other not in ("", "torch_eager"):
        other = f"{target.against} ({each.other})"
    reached = ratio_text(figure.value, figure.lo, figure.hi) if figure else "-"
    case = case_text(target.case)
    lines: list[tuple[str, ...]] = [(target.row, case, other, wanted, reached, each.verdict, each.limit)]
    if target.row == "pair" and figure is not None:
        share = kept_share(target)
        verdict = "reached" if share <= _KEPT else "not reached"
        kept = f"1/{1 / share:.0f} of x"
        lines.append((target.row, case, "bytes kept in between", "1/16 of x", kept, verdict, ""))
    return lines


if __name__ == "__main__":
    cli.run(main, (OptionError, ReadError, MarkerError, cli.UsageError))
