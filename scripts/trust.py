"""How often does the suite report a difference that is none, and how often does it miss one?

Measures arms whose true ratio is known: a backend several times, each in processes of its own, and the same backend
slowed by 10 % and by 5 %, beside a baseline of the other kind (a parallel one for serial backends, and the other way
round).  They are measured as in a run of the profile, with as much time an arm, and each pair gets the verdict that the
suite's rule gives it.  Prints how often each verdict came out, with 95 % intervals for which experiments on one backend
and size hang together.
"""

from __future__ import annotations

import dataclasses
import sys
import time
from argparse import Namespace
from collections.abc import Iterator, Sequence
from pathlib import Path

from rich.console import Console
from rich.progress import Progress

from bench.machine.surroundings import HERE
from bench.plan.experiments import Experiment
from bench.plan.interpreters import usable_interpreter
from bench.plan.options import OptionError, parse
from bench.plan.profiles import PROFILES
from bench.plan.settings import Settings
from bench.plan.time_plan import time_plan
from bench.plugin.texts import until
from bench.text.commands import command_line
from bench.text.units import count_text, span_text
from scripts._plugins import slowed
from scripts._shared.beside import HOURS, add_beside_option, beside
from scripts._shared.cli import Parser, UsageError, comma_list, count, option_type, positive, run
from scripts._shared.fresh import Fresh, measured
from scripts._shared.markers import MarkerError, update
from scripts._shared.stored import StoredError
from scripts._shared.validation import NOT_MEASURED, Study, add_study_options, measured_where, parsed
from scripts._trust.arms import BASES, INSTALLED, passes
from scripts._trust.heard import heard, stopped
from scripts._trust.in_turn import InTurn, halves
from scripts._trust.judging import Judged, judged_pairs, troubles
from scripts._trust.section import broken, section

__all__ = ["main"]


def _part(judged: Sequence[Judged]) -> str:
    """The folder of a study among the others; one with installs has its own."""
    installs = "-installs" if any(pair.kind == INSTALLED for pair in judged) else ""
    return f"{judged[0].profile}-{judged[0].hour.replace(' ', '-')}{installs}"


def _sections(judged: Sequence[Judged]) -> str:
    """The tables of each profile and hour."""
    parts = dict.fromkeys((pair.profile, pair.hour) for pair in judged)
    return "\n\n".join(
        section([pair for pair in judged if (pair.profile, pair.hour) == part]) for part in parts
    )


_STUDY = Study("trust", Judged, _sections, _part)
_MANY_ROUNDS = {"target_ci": "0.001", "max_seconds": "4"}
"""What an experiment is asked for whose halves have to tell something each: no interval is so narrow, so every arm has
rounds until the time is up, which is about twice that of the quick profile."""
_HEARD = "heard"
"""The markers of what --heard writes."""
_EPILOG = """\
It measures for long, on a machine that does nothing else.  Each profile and hour is kept in a folder of its own.

examples:
  python scripts/trust.py
  python scripts/trust.py --profile standard --bases numpy_ufunc --minutes 20
  python scripts/trust.py --save results/validation/trust --update docs/validation.md
  python scripts/trust.py --save results/validation/trust --beside busy
  python scripts/trust.py --save results/validation/trust --beside worker --sizes 32Ki,1Mi --minutes 6
  python scripts/trust.py --save results/validation/heard --beside worker --in-turn --minutes 12
  python scripts/trust.py --read results/validation/heard --heard --update docs/fleet.md
  python scripts/trust.py --save results/validation/trust --installs equal/bin/python --sizes 32Ki,1Mi
  python scripts/trust.py --read results/validation/trust --update docs/validation.md --check

exit status: 0; 1 if the rates are not shown to be as good as the project promises, or if --check finds that the page
would change; 2 for anything that cannot be done.
"""


def _options(argv: Sequence[str] | None) -> Namespace:
    parser = Parser(description=__doc__ or "", epilog=_EPILOG)
    parser.add_argument(
        "--profile", choices=tuple(PROFILES), default="quick", help="whose time an arm gets (default quick)"
    )
    parser.add_argument(
        "--bases",
        type=comma_list(tuple(BASES)),
        default=tuple(BASES),
        help=f"backends, a comma list (default {','.join(BASES)})",
    )
    parser.add_argument("--sizes", default="1Ki,32Ki,1Mi,16Mi", help="element counts, as for pytest bench/")
    parser.add_argument("--repeats", type=count, default=1, help="experiments for each case and base")
    parser.add_argument(
        "--installs",
        type=option_type(usable_interpreter),
        metavar="PYTHON",
        help="measure each backend also in this Python, of an equal environment, as it is and slowed by 10 %%: is it a"
        " tie as often, and is the difference found as often?",
    )
    add_beside_option(parser)
    parser.add_argument(
        "--in-turn",
        action="store_true",
        help="stop it in every other round: is it heard? The rates and widths of intervals of both halves of the "
        "rounds stand side by side (with --beside nothing, what the halves differ by anyhow)",
    )
    parser.add_argument("--minutes", type=positive, help="begin nothing more that would not end by then")
    parser.add_argument(
        "--keep",
        type=Path,
        metavar="FOLDER",
        help="keep the runs there, a folder each: what other rules would say of their rounds, can be looked up",
    )
    add_study_options(parser)
    parser.add_argument(
        "--heard",
        action="store_true",
        help="with --read: what --in-turn measured there (markers heard)",
    )
    return parsed(parser, argv)


def main(argv: Sequence[str] | None = None) -> int:
    """Run the experiments; 0 if the rates are as good as the project promises, else 1."""
    nothing = "no pair of arms was timed; the lines above say why"
    options = _options(argv)
    if not options.heard:
        return _STUDY.carry_out(options, _measured, _told, nothing)
    return _heard(options)


def _heard(options: Namespace) -> int:
    """What --heard asks for, printed, or put between its markers."""
    if options.read is None or options.save is not None or (options.check and options.update is None):
        raise UsageError(
            "--heard needs --read DIR, where what --in-turn measured was kept, and no --save; "
            "--check needs --update FILE, the page"
        )
    parts = _STUDY.kept(options.read) if options.read.exists() else []
    tables = [(measured_where(where), heard(rows)) for rows, where in parts]
    text = "\n\n".join(f"{where}\n\n{table}" for where, table in tables if table)
    if not text:
        words = ("--save", options.read, "--beside", "worker", "--in-turn")
        text = f"{NOT_MEASURED} The command: `{command_line('python', 'scripts/trust.py', *words)}`."
    if options.update is not None:
        return update(options.update, text, _HEARD, check=options.check)
    print(text)
    return 0


def _measured(options: Namespace) -> Iterator[list[Judged]]:
    """What each pass found."""
    try:
        chosen = passes(options.bases, options.sizes, options.installs or "") * options.repeats
        asked = {"profile": options.profile, "backends": ",".join(options.bases)}
        settings = parse(asked | (_MANY_ROUNDS if options.in_turn else {}))
        settings = dataclasses.replace(settings, plugins=slowed.PLUGINS)
    except OptionError as error:
        raise UsageError(str(error)) from error
    print(_announced(settings, chosen, options.minutes), file=sys.stderr)
    began, longest_s = time.monotonic(), 0.0
    with (
        beside(options.beside) as neighbour,
        Progress(console=Console(stderr=True), transient=True) as bar,
    ):
        task = bar.add_task("experiments", total=sum(map(len, chosen)))
        for some in chosen:
            start = time.monotonic()
            if options.minutes is not None and start - began + longest_s > 60 * options.minutes:
                return
            surroundings = InTurn(neighbour) if options.in_turn else HERE
            fresh = measured(
                settings, some, lambda: bar.advance(task), surroundings=surroundings, keep=options.keep
            )
            longest_s = max(longest_s, time.monotonic() - start)
            for line in troubles(fresh.cells):
                print(line, file=sys.stderr)
            yield _judged(fresh, options)


def _judged(fresh: Fresh, options: Namespace) -> list[Judged]:
    """The pairs by all of their rounds, or by each half of them."""
    hour = HOURS[options.beside]
    if not options.in_turn:
        return judged_pairs(fresh.cells, fresh.rounds, options.profile, hour)
    hour, half = f"{hour} in turn", halves(fresh.rounds)
    return [
        *judged_pairs(fresh.cells, half.beside, options.profile, hour),
        *judged_pairs(fresh.cells, half.stopped, options.profile, stopped(hour)),
    ]


def _announced(settings: Settings, chosen: Sequence[Sequence[Experiment]], minutes: float | None) -> str:
    seconds = sum(time_plan(settings, some).seconds for some in chosen)
    at_most = "" if minutes is None or 60 * minutes >= seconds else f", of which {minutes:g} min are measured"
    return (
        f"{count_text(len(chosen), 'run')} of {count_text(len(chosen[0]), 'experiment')} each,"
        f" about {span_text(seconds)}, done by {until(seconds)}{at_most}"
    )


def _told(judged: Sequence[Judged]) -> int:
    """Print the tables; 0 if the rates are as good as promised, else 1."""
    status, in_turn = 0, heard(judged)
    if in_turn:
        print(in_turn)
        return status
    for part in dict.fromkeys((pair.profile, pair.hour) for pair in judged):
        mine = [pair for pair in judged if (pair.profile, pair.hour) == part]
        print(f"{section(mine)}\n")
        for line in broken(mine):
            print(f"not shown: {line}")
            status = 1
    return status


if __name__ == "__main__":
    run(main, (UsageError, StoredError, MarkerError))
