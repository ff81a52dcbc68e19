"""Do the intervals hold for a new process?

Measures one case many times, each in a run of its own with new processes, and counts how many of the runs' 95 %
intervals of a speed-up hold the speed-up that all runs together show.
"""

from __future__ import annotations

import math
from argparse import Namespace
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from statistics import fmean, median

from rich.console import Console
from rich.progress import Progress
from tabulate import tabulate

from bench.plan.experiments import case_label
from bench.plan.options import OptionError, parse
from bench.records.schema import Cell
from bench.run.run import plan
from bench.text.units import ratio_text
from scripts._shared.beside import add_beside_option, beside
from scripts._shared.cli import Parser, UsageError, count, positive, run
from scripts._shared.fresh import measured
from scripts._shared.markers import MarkerError
from scripts._shared.stored import StoredError
from scripts._shared.validation import Study, add_study_options, parsed

__all__ = ["main"]

_WANTED = 26 / 30
"""The share of intervals that has to hold: of 30 that each do so in 95 % of cases, 98 times in 100 that many do."""


@dataclass(frozen=True, slots=True)
class Covered:
    """The speed-up over the baseline that one run found, with its interval."""

    run: int
    experiment: str
    backend: str
    speedup: float
    lo: float
    hi: float


@dataclass(frozen=True, slots=True)
class _Coverage:
    """Of one backend at one case: how many intervals of how many hold the pooled speed-up."""

    hold: int
    of: int
    pooled: float
    half_width: float
    """The median, as a fraction."""

    @property
    def enough(self) -> bool:
        return self.hold >= _WANTED * self.of


def _coverages(found: Sequence[Covered]) -> dict[tuple[str, str], _Coverage]:
    coverages = {}
    for name in dict.fromkeys((each.experiment, each.backend) for each in found):
        mine = [each for each in found if (each.experiment, each.backend) == name]
        pooled = math.exp(fmean(math.log(each.speedup) for each in mine))
        hold = sum(each.lo <= pooled <= each.hi for each in mine)
        width = median(math.sqrt(each.hi / each.lo) - 1 if each.lo > 0 else math.inf for each in mine)
        coverages[name] = _Coverage(hold, len(mine), pooled, width)
    return coverages


def _section(found: Sequence[Covered]) -> str:
    rows = [
        (
            *name,
            f"{each.hold} of {each.of}",
            "yes" if each.enough else "no",
            ratio_text(each.pooled),
            f"±{each.half_width:.1%}",
        )
        for name, each in _coverages(found).items()
    ]
    wanted = f"{_WANTED:.0%} or more hold it"
    headers = ("case", "backend", "intervals that hold", wanted, "speed-up, pooled", "half-width, median")
    return tabulate(rows, headers=headers, tablefmt="github", disable_numparse=True)


_STUDY = Study("intervals", Covered, _section)
_EPILOG = """\
It measures for some minutes, on a machine that does nothing else.

examples:
  python scripts/intervals.py
  python scripts/intervals.py --sizes 1Mi --runs 10 --beside busy
  python scripts/intervals.py --save results/validation/intervals --update docs/validation.md
  python scripts/intervals.py --read results/validation/intervals --update docs/validation.md --check

exit status: 0; 1 if too few intervals hold, or if --check finds that the page would change; 2 for anything that
cannot be done.
"""


def _options(argv: Sequence[str] | None) -> Namespace:
    parser = Parser(description=__doc__ or "", epilog=_EPILOG)
    parser.add_argument("--sizes", default="64Ki", help="element counts, as for pytest bench/ (default 64Ki)")
    parser.add_argument(
        "--backends",
        default="numpy_ufunc,numba_jit,torch_eager,numba_parallel",
        help="a comma list; the first is the baseline",
    )
    parser.add_argument("--runs", type=count, default=30, help="each with new processes (default 30)")
    parser.add_argument("--seconds", type=positive, default=6.0, help="for an experiment (default 6)")
    add_beside_option(parser)
    add_study_options(parser)
    return parsed(parser, argv)


def main(argv: Sequence[str] | None = None) -> int:
    """Measure and count; 0 if enough intervals hold, 1 if not, 2 for a bad option."""
    nothing = "no speed-up was measured; give --runs of 1 or more, and two or more --backends"
    return _STUDY.carry_out(_options(argv), _measured, _told, nothing)


def _measured(options: Namespace) -> Iterator[list[Covered]]:
    """What each run found."""
    raw = {"backends": options.backends, "baseline": options.backends.partition(",")[0]}
    case = {"ops": "relu", "directions": "forward", "placements": "out", "sizes": options.sizes}
    try:
        settings = parse({**raw, **case, "max_seconds": str(options.seconds)})
    except OptionError as error:
        raise UsageError(str(error)) from error
    with (
        beside(options.beside),
        Progress(console=Console(stderr=True), transient=True) as bar,
    ):
        for number in bar.track(range(options.runs), description="runs"):
            cells = measured(settings, plan(settings)).cells
            yield [found for cell in cells if (found := _covered(number, cell)) is not None]


def _covered(number: int, cell: Cell) -> Covered | None:
    if cell.role != "candidate" or not cell.speedup or cell.speedup_lo is None or cell.speedup_hi is None:
        return None
    figures = (cell.speedup, cell.speedup_lo, cell.speedup_hi)
    return Covered(number, case_label(cell.case), cell.backend, *figures)


def _told(found: Sequence[Covered]) -> int:
    print(_section(found))
    return int(not all(each.enough for each in _coverages(found).values()))


if __name__ == "__main__":
    run(main, (UsageError, StoredError, MarkerError))
