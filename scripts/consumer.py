"""What streaming stores cost whoever reads the result at once.

A streaming store bypasses the caches, so the next reader finds nothing there. For each size and placement, one
experiment times numba_tuned with plain and with streaming stores, alone and followed by a sum of the result, and
torch_eager with the sum. A gain is the time with plain stores over the time with streaming stores, round by round.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from bench.machine import environment
from bench.plan.experiments import Experiment, Variant
from bench.plan.options import OptionError
from bench.records.reading import ReadError
from bench.stats.verdicts import RESOLVE
from bench.text.sizes import format_size
from bench.text.units import percent_text, ratio_text, seconds_text
from kernels.api import MAIN_OPS, Case
from scripts._plugins.then_sum import BASE, PLUGIN
from scripts._shared import cli
from scripts._shared.measured import Arms, Figures, Name, add_run_options, measure, settings_of
from scripts._shared.pairs import Gain
from scripts._shared.render import as_markdown, to_terminal
from scripts._shared.sections import Block, Report, Section

__all__ = ["main"]

_SECONDS = 150.0
"""Of a whole run, where nobody says how many."""
_SIZES = "256Ki:64Mi:x4"
_PLACEMENTS = ("out", "new")
_FORMATS = ("terminal", "markdown")
_SWITCH = "RELU_BENCH_STREAMING"
_PLAIN: Name = ("numba_tuned", "plain")
_STREAMING: Name = ("numba_tuned", "streaming")
_SUMS: tuple[Name, ...] = (("then_sum", "plain"), ("then_sum", "streaming"), ("then_sum", "torch"))
_ENVIRON = {
    _PLAIN: ((_SWITCH, "off"),),
    _STREAMING: ((_SWITCH, "on"),),
    _SUMS[0]: ((BASE, "numba_tuned"), (_SWITCH, "off")),
    _SUMS[1]: ((BASE, "numba_tuned"), (_SWITCH, "on")),
    _SUMS[2]: ((BASE, "torch_eager"),),
}
_HEADERS = (
    *("size", "placement", "plain", "streaming", "gain", "plain, sum", "streaming, sum", "gain"),
    *("torch, sum", "over ours", "chosen", "streaming the pair"),
)
_EPILOG = """\
examples:
  python scripts/consumer.py
  python scripts/consumer.py --sizes 4Mi,16Mi --ops leaky_relu --run-id consumer
  python scripts/consumer.py --sizes 4Mi,16Mi --ops leaky_relu --run consumer --format markdown   # read it again

exit status: 0; 1 with --strict if streaming is chosen where the pair loses by it, or if something was not
measured; 2 for what cannot be done.
"""
_LEGEND = (
    "plain, streaming: numba_tuned with these stores; sum: followed by NumPy's sum of its result, on one thread.",
    "gain: what plain stores take over what streaming stores take, with its 95 % interval; below 1, streaming loses.",
    "torch, sum: torch_eager followed by the same sum, and its time over that of numba_tuned with the stores chosen.",
    "chosen: the stores that the dispatcher takes for this case on this machine; ? for a run of another machine.",
    f"streaming the pair: with the sum counted in, it gains, loses, or is the same within {percent_text(RESOLVE)}; "
    "unresolved: the measurement shows none of these.",
)
_PAIR = {"faster": "gains", "slower": "loses"}
"""What the verdict on streaming stores is called here, where it has a word of its own."""


@dataclass(frozen=True, slots=True)
class _Found:
    """What one case came to; `trouble` where an arm has no time."""

    case: Case
    alone: Gain | None
    pair: Gain | None
    torch: Gain | None
    chosen: str
    verdict: str
    trouble: str = ""

    @property
    def wrong(self) -> bool:
        """Whether we stream although the pair loses."""
        return self.chosen == "streaming" and self.verdict == "loses"


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line `argv`; returns the exit status.

    Raises OptionError, RunFilesError or ReadError, each of one line.
    """
    options = _parse(argv)
    cases = [
        Case(op, placement=placement, n=n)
        for op in options.ops
        for n in options.sizes
        for placement in options.placements
    ]
    run = options.run
    if run is None:
        run = str(measure(settings_of(options, "consumer", _SECONDS), _experiments(cases), PLUGIN))
    figures = Figures(run, Path(options.results))
    found = [_found(case, figures) for case in cases]
    report = _report(found, figures)
    if options.format == "markdown":
        sys.stdout.write(as_markdown(report))
    else:
        to_terminal(report)
    return int(options.strict and any(each.wrong or each.trouble for each in found))


def _parse(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = cli.Parser(description=__doc__ or "", epilog=_EPILOG)
    parser.add_argument(
        "--ops", type=cli.comma_list(MAIN_OPS), default=("relu",), metavar="A,B", help="default: relu"
    )
    parser.add_argument(
        "--sizes", type=cli.sizes, default=cli.sizes(_SIZES), metavar="A,B", help=f"default: {_SIZES}"
    )
    parser.add_argument(
        "--placements",
        type=cli.comma_list(_PLACEMENTS),
        default=_PLACEMENTS,
        metavar="A,B",
        help=f"of {', '.join(_PLACEMENTS)} (default: both)",
    )
    add_run_options(parser, _SECONDS)
    parser.add_argument(
        "--format", type=cli.one_of(_FORMATS), default="terminal", metavar="F", help=", ".join(_FORMATS)
    )
    parser.add_argument("--strict", action="store_true", help="exit status 1 if a pair loses where we stream")
    options = parser.parse_args(argv)
    if options.run is not None and (options.run_id or options.max_seconds):
        parser.error("--run reads a run that exists; leave out --run-id and --max-seconds")
    return options


def _experiments(cases: Sequence[Case]) -> list[Experiment]:
    candidates = tuple((name[0], Variant(name[1], environ, name[0])) for name, environ in _ENVIRON.items())
    arms = Arms(candidates, copies=False, floor=False)
    return [arms.of(case) for case in sorted(cases, key=lambda case: case.n)]


def _found(case: Case, figures: Figures) -> _Found:
    names = (_PLAIN, _STREAMING, *_SUMS)
    trouble = next(filter(None, (figures.trouble(case, name) for name in names)), "")
    chosen = _chosen(case) if figures.machine == environment.machine_name() else "?"
    pair = figures.gain(case, _SUMS[1], _SUMS[0])
    ours = _SUMS[0] if chosen == "plain" else _SUMS[1]
    verdict = _PAIR.get(pair.word, pair.word) if pair else "-"
    alone, torch = figures.gain(case, _STREAMING, _PLAIN), figures.gain(case, ours, _SUMS[2])
    return _Found(case, alone, pair, torch, chosen, verdict, trouble)


def _chosen(case: Case) -> str:
    """What `numba_tuned` does here: asked of its own table, as the call would ask it."""
    import numba  # noqa: PLC0415  # only a run of this machine needs it

    from kernels.tuned.bind import Walk  # noqa: PLC0415
    from kernels.tuned.choice import choose  # noqa: PLC0415

    threads = int(numba.get_num_threads())
    return (
        "streaming"
        if choose(case.op, case.dtype, Walk("line", case.n), case.itemsize, threads)[1]
        else "plain"
    )


def _report(found: Sequence[_Found], figures: Figures) -> Report:
    right = tuple(name not in ("placement", "chosen", "streaming the pair") for name in _HEADERS)
    sections = [
        Section(f"{op} forward float32", _HEADERS, [_line(each, figures) for each in mine], right)
        for op in MAIN_OPS
        if (mine := [each for each in found if each.case.op == op])
    ]
    wrong = [format_size(each.case.n) + " " + each.case.placement for each in found if each.wrong]
    said = f"streaming is chosen where the pair loses: {', '.join(wrong)}" if wrong else ""
    return Report(
        intro=[f"Run {figures.run_id} on {figures.machine}."],
        blocks=[Block("A kernel and a reader of its result", sections, said)],
        legend=list(_LEGEND),
        problems=[
            f"{format_size(each.case.n)} {each.case.placement}: {each.trouble}"
            for each in found
            if each.trouble
        ],
    )


def _line(each: _Found, figures: Figures) -> tuple[str, ...]:
    times = {name: seconds_text(figures.time_s(each.case, name)) for name in _ENVIRON}
    return (
        *(format_size(each.case.n), each.case.placement),
        *(times[_PLAIN], times[_STREAMING], _ratio(each.alone)),
        *(times[_SUMS[0]], times[_SUMS[1]], _ratio(each.pair)),
        *(times[_SUMS[2]], _ratio(each.torch), each.chosen, each.verdict),
    )


def _ratio(found: Gain | None) -> str:
    return ratio_text(found.times.value, found.times.lo, found.times.hi) if found else "-"


if __name__ == "__main__":
    cli.run(main, (OptionError, ReadError))
