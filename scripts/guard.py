"""Do verdicts hold while something else uses the machine?

The same experiments three times: on the machine as it is, beside a process that is busy in bursts, and beside it with
the guard on, which repeats disturbed batches. The baseline is serial and most others are parallel, so they lose more.
A verdict has moved if it is not what most of the undisturbed repetitions gave. Prints how many verdicts moved, and how
far the speed-ups are from the undisturbed ones.
"""

from __future__ import annotations

import math
import statistics
import subprocess
import sys
from argparse import Namespace
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

from rich.console import Console
from rich.progress import Progress
from tabulate import tabulate

from bench.plan.experiments import Experiment
from bench.plan.options import OptionError, parse
from bench.plan.profiles import PROFILES
from bench.records.schema import Cell
from bench.run import experiment as measuring
from bench.run.pool import ProcessPool
from bench.run.rows import Stamp, cells_of
from bench.run.run import plan
from scripts._shared.cli import Parser, UsageError, count, positive, run
from scripts._shared.markers import MarkerError
from scripts._shared.stored import StoredError
from scripts._shared.validation import Study, add_study_options

__all__ = ["main"]

_BUSY = """
import os, random, time
draw, parent = random.Random(1), os.getppid()
while os.getppid() == parent:
    until = time.perf_counter() + draw.uniform(0.6, 1.0)
    while time.perf_counter() < until: pass
    time.sleep(draw.uniform(0.2, 0.5))
"""
"""As all draw alike, several work and rest at about the same times.  They end with this process."""
_CONDITIONS = (("undisturbed", False, True), ("busy, guard off", True, False), ("busy, guard on", True, True))
Key = tuple[str, str]
"""An experiment's label and a backend."""


@dataclass(frozen=True, slots=True)
class Judged:
    """One verdict under one of the conditions."""

    condition: str
    experiment: str
    backend: str
    verdict: str
    speedup: float


def _repeat(
    chosen: Sequence[Experiment], pool: ProcessPool, limits: measuring.Limits, repeats: int, bar: Progress
) -> Iterator[tuple[Experiment, Cell]]:
    stamp = Stamp("guard", "here", "", limits.target_ci)
    for number in bar.track(range(repeats * len(chosen)), description="experiments"):
        experiment = chosen[number % len(chosen)]
        states = measuring.run(experiment, pool, limits, seed=number).states
        for cell in cells_of(experiment, states, stamp):
            if cell.role == "candidate" and cell.verdict:
                yield experiment, cell


def _moved(usual: Mapping[Key, Sequence[Judged]], found: Sequence[Judged]) -> tuple[int, int, float]:
    """Verdicts that are not the usual one, of how many, and the 90th percentile of |log speed-up difference|."""
    moved, distances = 0, []
    for each in found:
        beside = usual.get((each.experiment, each.backend))
        if beside is None:
            continue
        verdict = Counter(other.verdict for other in beside).most_common(1)[0][0]
        centre = statistics.median(math.log(other.speedup) for other in beside)
        moved += each.verdict != verdict
        distances.append(abs(math.log(each.speedup) - centre))
    if len(distances) < 2:
        raise UsageError("too few verdicts to compare; give more --repeats, or longer --seconds")
    return moved, len(distances), statistics.quantiles(distances, n=10)[-1]


def _section(judged: Sequence[Judged]) -> str:
    usual: dict[Key, list[Judged]] = defaultdict(list)
    for each in judged:
        if each.condition == _CONDITIONS[0][0]:
            usual[each.experiment, each.backend].append(each)
    rows = []
    for name, *_ in _CONDITIONS:
        moved, of, distance = _moved(usual, [each for each in judged if each.condition == name])
        rows.append((name, of, moved, f"{moved / of:.1%}", f"{math.expm1(distance):.1%}"))
    headers = ("condition", "verdicts", "moved", "share", "speed-up off by (90th percentile)")
    return tabulate(rows, headers=headers, tablefmt="github")


_STUDY = Study("guard", Judged, _section)
_EPILOG = """\
It measures for long, on a machine that does nothing else.

examples:
  python scripts/guard.py
  python scripts/guard.py --sizes 32Ki,4Mi --busy 2
  python scripts/guard.py --save results/validation/guard --update docs/validation.md
  python scripts/guard.py --read results/validation/guard --update docs/validation.md --check

exit status: 0; 1 if --check finds that the page would change; 2 for anything that cannot be done.
"""


def _options(argv: Sequence[str] | None) -> Namespace:
    parser = Parser(description=__doc__ or "", epilog=_EPILOG)
    parser.add_argument("--sizes", default="1Mi", help="element counts, as for pytest bench/ (default 1Mi)")
    parser.add_argument(
        "--backends",
        default="numba_jit,numba_parallel,numba_tuned,torch_eager",
        help="a comma list; the first is the baseline",
    )
    parser.add_argument("--busy", type=count, default=1, help="processes beside the run (default 1)")
    parser.add_argument("--seconds", type=positive, default=2.0, help="for one experiment (default 2)")
    parser.add_argument(
        "--repeats", type=count, default=12, help="of each experiment and condition (default 12)"
    )
    add_study_options(parser)
    return parser.parse_args(argv)


@contextmanager
def _beside(busy: int) -> Iterator[None]:
    """With so many busy processes."""
    command = [sys.executable, "-c", _BUSY]
    others = [subprocess.Popen(command) for _ in range(busy)]
    try:
        yield
    finally:
        for other in others:
            other.kill()
            other.wait()


def main(argv: Sequence[str] | None = None) -> int:
    """Measure the three conditions and print the table; 1 if --check finds that the page would change."""
    options = _options(argv)
    _STUDY.check(options)
    if options.read is not None and options.update is not None:
        return _STUDY.page(options)
    judged = _STUDY.read(options) if options.read is not None else _measured(options)
    print(_section(judged))
    if options.read is None:
        _STUDY.keep(judged, options)
    return 0


def _measured(options: Namespace) -> list[Judged]:
    try:
        baseline = options.backends.partition(",")[0]
        settings = parse({"sizes": options.sizes, "backends": options.backends, "baseline": baseline})
    except OptionError as error:
        raise UsageError(str(error)) from error
    if not (options.busy and options.repeats and len(settings.backends) > 1):
        raise UsageError(
            "nothing to compare; give --busy and --repeats of 1 or more, and two or more --backends"
        )
    chosen = [each for each in plan(settings) if each.case.op == "relu" and each.case.placement == "out"]
    profile, found = PROFILES["quick"], []
    for name, disturbed, guard in _CONDITIONS:
        limits = measuring.Limits.of(profile, options.seconds, guard=guard)
        with (
            _beside(options.busy if disturbed else 0),
            Progress(console=Console(stderr=True), transient=True) as bar,
        ):
            pool = ProcessPool({}, cell_timeout=120.0)
            try:
                found += [
                    Judged(name, experiment.label, cell.backend, cell.verdict, cell.speedup or 1.0)
                    for experiment, cell in _repeat(chosen, pool, limits, options.repeats, bar)
                ]
            finally:
                pool.close()
    return found


if __name__ == "__main__":
    run(main, (UsageError, StoredError, MarkerError))
