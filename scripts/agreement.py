"""Does the harness measure what others measure?

For each cell of the quick profile at some sizes: one experiment of ours, and in the same minute
``torch.utils.benchmark.Timer`` on the same call, in a process of its own for each backend, with the same
estimator (the median of its blocks against the median of our rounds).  Prints each pair and the share that
agrees within 10 %; exit status 1 if that is less than 90 %.
"""

from __future__ import annotations

import csv
import dataclasses
import json
import os
import subprocess
import sys
from argparse import SUPPRESS, Namespace
from collections.abc import Sequence
from pathlib import Path
from statistics import median

from rich.console import Console
from rich.progress import Progress

from bench import experiment as measuring
from bench.environment import last_level_cache
from bench.layout import HASH_SEED, fixed_layout
from bench.options import OptionError, parse
from bench.plan import Experiment
from bench.pool import SEED, ProcessPool
from bench.results import Stamp, cells_of
from bench.schema import Cell
from bench.session import plan
from bench.units import ratio_text, seconds_text
from kernels.api import AXES, Case
from scripts._cli import Parser, UsageError, positive, run, writable

__all__ = ["main"]

_WITHIN = 0.10
_PLACES = 5
"""Where arrays lie to each other can cost some per cent; ours are moved before every batch."""
_WANTED = 0.90
Pair = tuple[Cell, float]
"""A cell of ours and the other timer's seconds for the same call."""


def _peer(name: str, case: Case, seconds: float) -> float:
    """Seconds per call by torch's Timer, in this process; median over its blocks, at some places in memory."""
    import torch  # noqa: PLC0415  # only this process, a peer, needs them
    from torch.utils.benchmark import Timer  # noqa: PLC0415

    from bench.pristine import Pristine  # noqa: PLC0415
    from bench.slots import Slots  # noqa: PLC0415
    from kernels import registry  # noqa: PLC0415

    backend = registry.load(name)
    backend.set_threads(case.threads)
    slots, times = Slots(backend, case, Pristine(SEED).of(case), last_level_cache()), []
    for _ in range(_PLACES):
        slots.move()
        names = {"call": slots.ring[0].call, "sync": backend.sync}
        timer = Timer("sync(call())", globals=names, num_threads=torch.get_num_threads())
        times += timer.blocked_autorange(min_run_time=seconds / _PLACES).times
    return median(times)


def _start(name: str) -> subprocess.Popen[str]:
    with fixed_layout():  # as our own arms
        return subprocess.Popen(
            [sys.executable, __file__, "--peer", name],
            env={**HASH_SEED, **os.environ},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )


class _Peers:
    """One process for each backend, which answers as long as this one asks."""

    def __init__(self) -> None:
        self._processes: dict[str, subprocess.Popen[str]] = {}

    def ask(self, cell: Cell, seconds: float) -> float:
        """The Timer's seconds per call for the cell's case."""
        peer = self._processes.get(cell.backend)
        if peer is None:
            peer = self._processes[cell.backend] = _start(cell.backend)
        assert peer.stdin is not None, "a pipe"
        assert peer.stdout is not None, "a pipe"
        case = {axis: getattr(cell, axis) for axis in AXES}
        peer.stdin.write(json.dumps({"case": case, "seconds": seconds}) + "\n")
        peer.stdin.flush()
        answer = peer.stdout.readline()
        if not answer:
            raise UsageError(
                f"the peer for {cell.backend} ended with {peer.wait()}; what it said stands above"
            )
        return float(answer)

    def close(self) -> None:
        """End them."""
        for peer in self._processes.values():
            peer.communicate()


def _answer(name: str) -> None:
    """Be the peer of one backend: a line of JSON in, a line with seconds out."""
    for line in sys.stdin:
        asked = json.loads(line)
        print(_peer(name, Case(**asked["case"]), asked["seconds"]), flush=True)


def _measure(chosen: Sequence[Experiment], limits: measuring.Limits, console: Console) -> list[Pair]:
    pairs: list[Pair] = []
    pool, peers = ProcessPool({}, cell_timeout=180.0), _Peers()
    stamp = Stamp("agreement", "here", "", limits.target_ci)
    with Progress(console=console, transient=True) as bar:
        for experiment in bar.track(chosen, description=f"{len(chosen)} experiments"):
            states = measuring.run(experiment, pool, limits, seed=len(pairs))
            cells = [cell for cell in cells_of(experiment, states, stamp) if cell.time_s is not None]
            compared = [cell for cell in cells if cell.role in ("candidate", "baseline")]
            pairs += [(cell, peers.ask(cell, limits.seconds / len(experiment.arms))) for cell in compared]
    peers.close()
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
    parser.add_argument("--seconds", type=positive, default=4.0, help="for one experiment (default 4)")
    parser.add_argument("--csv", type=writable, help="write every pair here")
    parser.add_argument("--peer", help=SUPPRESS)
    return parser.parse_args(argv)


def main(argv: Sequence[str] | None = None) -> int:
    """Measure and compare; 0 if enough cells agree, 1 if not, 2 for a bad option."""
    options = _options(argv)
    if options.peer:
        _answer(options.peer)
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
