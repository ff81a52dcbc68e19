"""Do verdicts hold while something else uses the machine?

The same experiments three times: on the machine as it is, and beside a process that is busy in bursts,
without the contention guard and with it.  A verdict has moved if it is not what most of the undisturbed
repetitions gave.  Prints the share that moved, and how far the estimated speed-ups lay from the undisturbed.
"""

from __future__ import annotations

import math
import statistics
import subprocess
import sys
from collections import Counter, defaultdict
from collections.abc import Sequence

from rich.console import Console
from rich.progress import Progress
from tabulate import tabulate

from bench import experiment as measuring
from bench.options import OptionError, parse
from bench.plan import Experiment
from bench.pool import ProcessPool
from bench.profiles import PROFILES
from bench.results import Stamp, cells_of
from bench.schema import Cell
from bench.session import plan
from scripts._cli import Parser, UsageError, count, run

__all__ = ["main"]

_BUSY = """
import random, time
draw = random.Random(1)
while True:
    until = time.perf_counter() + draw.uniform(0.05, 0.30)
    while time.perf_counter() < until: pass
    time.sleep(draw.uniform(0.10, 0.60))
"""
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


def main(argv: Sequence[str] | None = None) -> int:
    """Measure the three conditions and print the table."""
    parser = Parser(
        description=__doc__ or "", epilog="example:\n  python scripts/guard.py --sizes 1Ki --repeats 20"
    )
    parser.add_argument(
        "--sizes", default="1Ki,1Mi", help="element counts, as for pytest bench/ (default 1Ki,1Mi)"
    )
    parser.add_argument(
        "--backends", default="numpy_ufunc,numba_jit,numba_parallel,torch_eager", help="a comma list"
    )
    parser.add_argument(
        "--repeats", type=count, default=8, help="of each experiment and condition (default 8)"
    )
    options = parser.parse_args(argv)
    try:
        settings = parse({"sizes": options.sizes, "backends": options.backends})
    except OptionError as error:
        raise UsageError(str(error)) from error
    chosen = [each for each in plan(settings) if each.case.op == "relu" and each.case.placement == "out"]
    profile, results = PROFILES["quick"], {}
    for name, disturbed, guard in _CONDITIONS:
        limits = measuring.Limits(
            1.0, profile.batch_s, 0.0015, 0.02, profile.min_rounds, profile.max_rounds, guard
        )
        busy = subprocess.Popen([sys.executable, "-c", _BUSY]) if disturbed else None
        pool = ProcessPool({}, cell_timeout=120.0)
        try:
            with Progress(console=Console(stderr=True), transient=True) as bar:
                results[name] = _repeat(chosen, pool, limits, options.repeats, bar)
        finally:
            pool.close()
            if busy is not None:
                busy.kill()
                busy.wait()
    rows = []
    for name, found in results.items():
        moved, of, distance = _moved(results["undisturbed"], found)
        rows.append((name, of, moved, f"{moved / of:.1%}", f"{math.expm1(distance):.1%}"))
    headers = ("condition", "verdicts", "moved", "share", "speed-up off by (90th percentile)")
    print(tabulate(rows, headers=headers, tablefmt="github"))
    return 0


if __name__ == "__main__":
    run(main, (UsageError,))
