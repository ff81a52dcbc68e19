"""What to use for this tensor here: by how much, how sure, and why, from the runs at hand."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from bench.records.reading import ReadError
from kernels.api import AXIS_TABLE, Case
from kernels.recorder.cases_file import CasesFileError, read_recording
from scripts._recommend.answer import answer
from scripts._recommend.as_json import SCHEMA, as_json
from scripts._recommend.commands import command
from scripts._recommend.fleet import beside_each_other, heading
from scripts._recommend.model import program_answer, smallest_swapped
from scripts._recommend.model_json import program_json
from scripts._recommend.model_text import program_report
from scripts._recommend.ranking import Answer, Missing
from scripts._recommend.runs import Evidence, gather, gather_each
from scripts._recommend.sentences import headline
from scripts._recommend.text import as_report, commands
from scripts._recommend.trust import remark
from scripts._recommend.ways import Way, way_lines, way_to
from scripts._shared import cli
from scripts._shared.filters import add_axes, asked_case
from scripts._shared.render import to_terminal
from scripts._shared.sections import Report

__all__ = ["main"]

_EPILOG = """\
RUN is a run's directory, the id of a run under --results, or a CSV file with the columns of cells.csv. If several
have the same cell, the last one counts. Without any, it is the newest run of this machine under --results that has such
cells, else a reference run of a machine of this name, else a reference run of another machine, with a warning.
Runs of several machines are answered machine by machine, and then side by side with their ratios.

At a measured size the answer is the fastest arm, if it was shown to be faster than what you use now. There is none if
more than half of the batches ran beside others' work, or if a difference of 20 % would not have been seen. Between
measured sizes it says "probably": from fitted curves, a latency, and a bandwidth for each cache level. How far they
miss is told with them, from sizes left out in turn. All ratios are over what you use now.

Below the answer stand the lines of code that follow it. Where they leave your framework, and the run is this machine's,
they are tried beside what you use now, some seconds long: converting costs something, and so do two thread pools.

examples:
  python scripts/recommend.py --n 4Mi --dtype bfloat16
  python scripts/recommend.py --op leaky_relu --n 1Ki --now torch_eager
  python scripts/recommend.py --n 1Mi --direction backward --placement out results/reference/amd-epyc-2c
  python scripts/recommend.py --n 16Mi --json | python -m json.tool
  python scripts/recommend.py --cases cases.json

keys of --json: schema (3), question, machine, this_machine, runs, warnings, answers and missing (one entry for each
placement). An answer has placement, basis (measured, fitted, extrapolated), no_answer (null, or reason, disturbed,
batches, noise_floor; then use and keep are null), sure, use, keep, best (what there is to change to), as_fast,
not_known, resolve, now, time_s, time_lo_s, time_hi_s, gb_per_s, ceiling_fraction, noise_floor, over_now (best beside
now), neighbours (of a size that was not measured), code (null, or shell, lines, note, there_and_back: what is left of
the gain with the conversion, null where it was not tried), because, arms (each with over_now), settings, crossovers,
fits, break_even_calls, measure (commands). A ratio has value, lo, hi, verdict (faster, slower, same, unresolved), how,
noise_floor, resolve_s, resolve_processes. Unknown numbers are null. Of several machines: schema, and machines, a list
of these.

exit status: 0; 1 if there is no answer for any placement asked for; 2 for anything that cannot be done.
"""


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line `argv`; returns the exit status.

    Raises ReadError or UsageError, each of one line.
    """
    options = _parse(argv)
    if options.cases is not None:
        return _program(options)
    cases = _cases(options)
    found = [_answered(each, cases, options) for each in gather_each(options.run, options.results, cases[0])]
    if options.json:
        documents = [as_json(each.evidence, cases, options.now, each.ways, each.missing) for each in found]
        several = {"schema": SCHEMA, "machines": documents}
        json.dump(documents[0] if len(found) == 1 else several, sys.stdout, indent=2, allow_nan=False)
        print()
    else:
        _print_all(found)
    return 0 if any(each.distrust is None for one in found for each in one.answers) else 1


@dataclass(frozen=True, slots=True)
class _Answered:
    """What there is to say of one machine."""

    evidence: Evidence
    ways: Sequence[tuple[Answer, Way | None]]
    missing: Sequence[tuple[Missing, str]]

    @property
    def answers(self) -> list[Answer]:
        return [each for each, _ in self.ways]


def _answered(evidence: Evidence, cases: Sequence[Case], options: argparse.Namespace) -> _Answered:
    found = [answer(evidence, case, options.now) for case in cases]
    answers = [each for each in found if isinstance(each, Answer)]
    evidence.warnings += [line for each in answers for line in remark(each.arms, each.case.placement)]
    gaps = [each for each in found if isinstance(each, Missing)]
    lacking = command(cases[0], [gap.placement for gap in gaps])
    ways = [(each, way_to(evidence, each, try_it=not options.no_try)) for each in answers]
    return _Answered(evidence, ways, [(gap, lacking) for gap in gaps])


def _print_all(found: Sequence[_Answered]) -> None:
    """The answers of each machine, and of several a table beside them."""
    for each in found:
        if len(found) > 1:
            print(heading(each.evidence), end="\n\n")
        _print(each)
        if len(found) > 1:
            print()
    if len(found) > 1:
        to_terminal(beside_each_other([(each.evidence, each.answers) for each in found]))


def _print(found: _Answered) -> None:
    for each, way in found.ways:
        to_terminal(Report(intro=[headline(found.evidence, each)]))
        if way is not None:
            print("\n".join(way_lines(each, way)), end="\n\n")
    to_terminal(as_report(found.evidence, found.answers, found.missing))
    _print_commands(commands(found.evidence, found.answers, found.missing))


def _program(options: argparse.Namespace) -> int:
    """The answer for a whole program.  Raises UsageError."""
    try:
        recording = read_recording(options.cases)
    except CasesFileError as error:
        raise cli.UsageError(f"--cases {error}") from error
    if not recording.used:
        raise cli.UsageError(
            f"--cases {options.cases}: the program ran no activation that this suite measures"
        )
    evidence = gather(options.run, options.results, recording.used[0].case)
    found = program_answer(evidence, recording, options.now, smallest_swapped())
    if options.json:
        json.dump(program_json(found), sys.stdout, indent=2, allow_nan=False)
        print()
    else:
        to_terminal(program_report(found, ", ".join(evidence.paths)))
    return 0 if found.known and not found.doubts else 1


def _print_commands(lines: Sequence[str]) -> None:
    """Unfolded at any width, so that they can be copied."""
    if lines:
        print("\nWhat the runs do not tell, and what would:\n")
        print("\n".join(lines))


def _parse(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = cli.Parser(description=__doc__ or "", epilog=_EPILOG)
    parser.add_argument("run", nargs="*", metavar="RUN", help="the runs to rest on")
    question = parser.add_mutually_exclusive_group(required=True)
    question.add_argument("--n", type=cli.size, metavar="N", help="elements: 1000, 1Ki, 4Mi")
    question.add_argument(
        "--cases",
        type=Path,
        metavar="FILE",
        help="instead: all activations that scripts/record.py saw a program run",
    )
    parser.add_argument("--results", type=Path, default=Path("results"), metavar="DIR", help="where runs lie")
    add_axes(parser, _ASKED, {"placement": "new and out"})
    parser.add_argument(
        "--now",
        metavar="NAME",
        help="what you use now: numpy_ufunc, or torch_eager[VARIANT] (default: torch_eager, or the run's baseline)",
    )
    parser.add_argument(
        "--no-try", action="store_true", help="do not try the lines of code, which takes some seconds"
    )
    parser.add_argument("--json", action="store_true", help="for programs; the keys are listed below")
    return parser.parse_args(argv)


_ASKED = tuple(axis for axis in AXIS_TABLE if axis.name not in ("n", "data"))
"""The axes that have a flag beside --n; of what the inputs hold nobody can tell before."""


def _cases(options: argparse.Namespace) -> list[Case]:
    """The cases asked about.  Raises UsageError."""
    placements = [options.placement] if options.placement else ["new", "out"]
    return [asked_case(options, _ASKED, n=options.n, placement=placement) for placement in placements]


if __name__ == "__main__":
    cli.run(main, (ReadError, cli.UsageError))
