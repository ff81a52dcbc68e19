"""Do verdicts hold while something else uses the machine?

The same experiments three times: on the machine as it is, and beside a process that is busy in bursts, without
the contention guard and with it.  The baseline is serial, most others are parallel: who loses one of two CPUs
loses half.  A verdict has moved if it is not what most of the undisturbed repetitions gave.  Prints the share
that moved, and how far the estimated speed-ups lay from the undisturbed.
"""

from __future__ import annotations

import math
import statistics
import subprocess
import sys
from argparse import Namespace
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

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


def _repeat(
    chosen: Sequence[Experiment], pool: ProcessPool, limits: measuring.Limits, repeats: int, bar: Progress
) -> dict[Key, list[Cell]]:
    found: dict[Key, list[Cell]] = defaultdict(list)
    stamp = Stamp("guard", "here", "", limits.target_ci)
    for number in bar.track(range(repeats * len(chosen)), description="experiments"):
        experiment = chosen[number % len(chosen)]
        states = measuring.run(experiment, pool, limits, seed=number)
        for cell in cells_of(experiment, states, stamp):
            if cell.role == "candidate" and cell.verdict:
                found[experiment.label, cell.backend].append(cell)
    return found


def _moved(usual: dict[Key, list[Cell]], found: dict[Key, list[Cell]]) -> tuple[int, int, float]:
    """Verdicts that are not the usual one, of how many, and the 90th percentile of |log speed-up difference|."""
    moved, of, distances = 0, 0, []
    for key, cells in found.items():
        if key not in usual:
            continue
        verdict = Counter(cell.verdict for cell in usual[key]).most_common(1)[0][0]
        centre = statistics.median(math.log(cell.speedup or 1.0) for cell in usual[key])
        moved += sum(cell.verdict != verdict for cell in cells)
        of += len(cells)
        distances += [abs(math.log(cell.speedup or 1.0) - centre) for cell in cells]
    return moved, of, statistics.quantiles(distances, n=10)[-1]


def _options(argv: Sequence[str] | None) -> Namespace:
    parser = Parser(
        description=__doc__ or "", epilog="example:\n  python scripts/guard.py --sizes 32Ki,4Mi --busy 2"
    )
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
    """Measure the three conditions and print the table."""
    options = _options(argv)
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
    profile, results = PROFILES["quick"], {}
    for name, disturbed, guard in _CONDITIONS:
        limits = measuring.Limits.of(profile, options.seconds, guard=guard)
        with (
            _beside(options.busy if disturbed else 0),
            Progress(console=Console(stderr=True), transient=True) as bar,
        ):
            pool = ProcessPool({}, cell_timeout=120.0)
            try:
                results[name] = _repeat(chosen, pool, limits, options.repeats, bar)
            finally:
                pool.close()
    rows = []
    for name, found in results.items():
        moved, of, distance = _moved(results["undisturbed"], found)
        rows.append((name, of, moved, f"{moved / of:.1%}", f"{math.expm1(distance):.1%}"))
    headers = ("condition", "verdicts", "moved", "share", "speed-up off by (90th percentile)")
    print(tabulate(rows, headers=headers, tablefmt="github"))
    return 0


if __name__ == "__main__":
    run(main, (UsageError,))
