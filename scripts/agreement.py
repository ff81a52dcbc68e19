"""Does the harness measure what others measure?

For each cell of the quick profile at some sizes: one experiment of ours, and in the same minute
``torch.utils.benchmark.Timer`` on the same call, in a fresh process of its own, with the same estimator
(the median of its blocks against the median of our rounds).  Prints each pair and the share that
agrees within 10 %; exit status 1 if that is less than 90 %.
"""

from __future__ import annotations

import csv
import dataclasses
import json
import subprocess
import sys
from argparse import SUPPRESS, Namespace
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console
from rich.progress import Progress

from bench import experiment as measuring
from bench.environment import last_level_cache
from bench.options import OptionError, parse
from bench.plan import Experiment
from bench.pool import SEED, ProcessPool
from bench.results import Stamp, cells_of
from bench.schema import Cell
from bench.session import plan
from bench.units import ratio_text, seconds_text
from kernels.api import AXES, Case
from scripts._cli import Parser, UsageError, run

__all__ = ["main"]

_WITHIN = 0.10
_WANTED = 0.90
Pair = tuple[Cell, float]
"""A cell of ours and the other timer's seconds for the same call."""


def _peer(name: str, case: Case, seconds: float) -> float:
    """Seconds per call by torch's Timer, in this process; median over its blocks."""
    import torch  # noqa: PLC0415  # only this process, a peer, needs them
    from torch.utils.benchmark import Timer  # noqa: PLC0415

    from bench.slots import Inputs, Slots  # noqa: PLC0415
    from kernels import registry  # noqa: PLC0415

    backend = registry.load(name)
    backend.set_threads(case.threads)
    slots = Slots(backend, case, Inputs.of(case, SEED), last_level_cache())
    names = {"call": slots.ring[0].call, "sync": backend.sync}
    timer = Timer("sync(call())", globals=names, num_threads=torch.get_num_threads())
    return float(timer.blocked_autorange(min_run_time=seconds).median)


def _ask_peer(cell: Cell, seconds: float) -> float:
    case = {axis: getattr(cell, axis) for axis in AXES}
    asked = json.dumps({"name": cell.backend, "case": case, "seconds": seconds})
    done = subprocess.run(
        [sys.executable, __file__, "--peer", asked], capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise RuntimeError(
            f"the peer for {cell.backend} ended with {done.returncode}: {done.stderr.strip()[-300:]}"
        )
    return float(done.stdout.splitlines()[-1])


def _measure(chosen: Sequence[Experiment], limits: measuring.Limits, console: Console) -> list[Pair]:
    pairs: list[Pair] = []
    pool = ProcessPool({}, cell_timeout=180.0)
    stamp = Stamp("agreement", "here", "", limits.target_ci)
    with Progress(console=console, transient=True) as bar:
        for experiment in bar.track(chosen, description=f"{len(chosen)} experiments"):
            states = measuring.run(experiment, pool, limits, seed=len(pairs))
            cells = [cell for cell in cells_of(experiment, states, stamp) if cell.time_s is not None]
            compared = [cell for cell in cells if cell.role in ("candidate", "baseline")]
            pairs += [(cell, _ask_peer(cell, limits.seconds / len(experiment.arms))) for cell in compared]
    pool.close()
    return pairs


def _print(pairs: Sequence[Pair]) -> float:
    agreeing = 0
    for cell, theirs in pairs:
        ratio = (cell.time_s or 0.0) / theirs
        agrees = abs(ratio - 1) <= _WITHIN
        agreeing += agrees
        label = Experiment(Case(**{axis: getattr(cell, axis) for axis in AXES}), ()).label
        print(
            f"{label:40} {cell.backend:16} ours {seconds_text(cell.time_s or 0.0):>8}  "
            f"Timer {seconds_text(theirs):>8}  {ratio_text(ratio):>7}{'' if agrees else '  differs'}"
        )
    print(f"\n{agreeing} of {len(pairs)} agree within {100 * _WITHIN:.0f} %: {agreeing / len(pairs):.1%}")
    return agreeing / len(pairs)


def _write(path: Path, pairs: Sequence[Pair]) -> None:
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow([*(field.name for field in dataclasses.fields(Cell)), "timer_s"])
        writer.writerows([*dataclasses.astuple(cell), theirs] for cell, theirs in pairs)


def _options(argv: Sequence[str] | None) -> Namespace:
    parser = Parser(
        description=__doc__ or "",
        epilog="example:\n  python scripts/agreement.py --backends torch_eager,numpy_ufunc --sizes 1Mi",
    )
    parser.add_argument("--sizes", default="1Ki,32Ki,1Mi,16Mi", help="element counts, as for pytest bench/")
    parser.add_argument("--backends", help="a comma list (default: all)")
    parser.add_argument("--seconds", type=float, default=4.0, help="for one experiment (default 4)")
    parser.add_argument("--csv", type=Path, help="write every pair here")
    parser.add_argument("--peer", help=SUPPRESS)
    return parser.parse_args(argv)


def main(argv: Sequence[str] | None = None) -> int:
    """Measure and compare; 0 if enough cells agree, 1 if not, 2 for a bad option."""
    options = _options(argv)
    if options.peer:
        asked = json.loads(options.peer)
        print(_peer(asked["name"], Case(**asked["case"]), asked["seconds"]))
        return 0
    try:
        settings = parse({"sizes": options.sizes, "backends": options.backends})
    except OptionError as error:
        raise UsageError(str(error)) from error
    profile = settings.profile
    limits = measuring.Limits(
        options.seconds, profile.batch_s, 0.0015, settings.target_ci, profile.min_rounds, profile.max_rounds
    )
    pairs = _measure(plan(settings), limits, Console(stderr=True))
    if not pairs:
        raise UsageError("no cell was timed; see pytest bench/ for the reasons")
    if options.csv:
        _write(options.csv, pairs)
    return 0 if _print(pairs) >= _WANTED else 1


if __name__ == "__main__":
    run(main, (UsageError,))
