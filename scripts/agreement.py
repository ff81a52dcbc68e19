"""Does the suite measure what others measure?

Each experiment of the quick profile at some sizes, and after each of its rounds ``torch.utils.benchmark.Timer`` on the
same calls, in a process of its own for each backend. So both see the machine in the same state. Times on a CPU that is
slower than usual are taken again on both sides. Compared are the medians. Prints each pair, and the share that agrees
within 10 %.
"""

from __future__ import annotations

import csv
import dataclasses
import itertools
import json
import os
import subprocess
import sys
from argparse import SUPPRESS, Namespace
from collections import defaultdict
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING

from rich.console import Console
from rich.progress import Progress

from bench.machine.address_layout import HASH_SEED, filled_up, fixed_layout
from bench.machine.cpu_speed import SLOW, Pace
from bench.machine.environment import last_level_cache
from bench.machine.own_usage import at_rest
from bench.plan.experiments import Experiment, case_label
from bench.plan.options import OptionError, parse
from bench.records.schema import CELL_COLUMNS, Cell, values_of
from bench.run import experiment as measuring
from bench.run.arm_state import ArmState
from bench.run.pool import SEED, ProcessPool
from bench.run.rows import Stamp, cells_of
from bench.run.run import plan
from bench.run.usual_speed import Usual
from kernels.api import Case
from scripts._agreement.compared import Compared, section, show
from scripts._shared.cli import Parser, UsageError, positive, run, writable
from scripts._shared.markers import MarkerError
from scripts._shared.stored import StoredError
from scripts._shared.validation import Study, add_study_options

if TYPE_CHECKING:
    from torch.utils.benchmark import Timer

__all__ = ["main"]

_WANTED = 0.90
"""The share of cells that have to agree."""
_PARTS = 4
"""Of the Timer's turn, each looked at by itself."""
_PART_S = 0.005
"""Seconds of a part; together about as long as a batch of ours."""
_TRIES = 5
"""Times that a slow CPU spoiled are taken again as often as batches are."""
_COMPARED = ("candidate", "baseline")
Pair = tuple[Cell, float]
"""A cell of ours and the other timer's seconds for the same call."""


class _Subject:
    """One backend at one case, timed by torch's Timer; its arrays move before each time, as ours do."""

    def __init__(self, name: str, case: Case) -> None:
        from bench.arrays.call_ring import Slots  # noqa: PLC0415
        from bench.arrays.inputs import InputSource  # noqa: PLC0415  # only a peer needs frameworks
        from kernels import registry  # noqa: PLC0415

        self.case, self._backend = case, registry.load(name)
        self._backend.set_threads(case.threads)
        self._slots = Slots(self._backend, case, InputSource(SEED).of(case), last_level_cache())
        self._pace, self._usual = Pace(), Usual()
        at_rest()
        self._pace.learn(lambda: self._timer().blocked_autorange(min_run_time=_PART_S))

    def seconds(self) -> float:
        """Seconds per call; the median of the Timer's blocks."""
        self._slots.move()
        timer = self._timer()
        for _ in range(_TRIES):
            parts: list[list[float]] = []
            self._pace.begin()
            for _ in range(_PARTS):
                parts.append(timer.blocked_autorange(min_run_time=_PART_S).times)
                self._pace.look()
            at_rest()
            slowness = self._usual.times(os.getpid(), self._pace.taken(), _PARTS, every=1)
            least = max(SLOW, min(slowness))
            if least == SLOW:
                break
        kept = [times for times, longer in zip(parts, slowness, strict=True) if longer <= least]
        return median(itertools.chain.from_iterable(kept))

    def _timer(self) -> Timer:
        """The Timer for the calls where they are now."""
        import torch  # noqa: PLC0415  # as above
        from torch.utils.benchmark import Timer  # noqa: PLC0415

        names = {"call": self._slots.ring[0].call, "sync": self._backend.sync}
        return Timer("sync(call())", globals=names, num_threads=torch.get_num_threads())


def _start(name: str) -> subprocess.Popen[str]:
    with fixed_layout():  # as our own arms
        return subprocess.Popen(
            [sys.executable, __file__, "--peer", name],
            env=filled_up({**HASH_SEED, **os.environ}),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )


class _Peers:
    """One process for each backend, which answers as long as this one asks."""

    def __init__(self) -> None:
        self._processes: dict[str, subprocess.Popen[str]] = {}

    def ask(self, backend: str, case: Case) -> float:
        """The Timer's seconds per call for the case."""
        peer = self._processes.get(backend)
        if peer is None:
            peer = self._processes[backend] = _start(backend)
        assert peer.stdin is not None, "a pipe"
        assert peer.stdout is not None, "a pipe"
        peer.stdin.write(json.dumps(dataclasses.asdict(case)) + "\n")
        peer.stdin.flush()
        answer = peer.stdout.readline()
        if not answer:
            raise UsageError(f"the peer for {backend} ended with {peer.wait()}; what it said stands above")
        return float(answer)

    def close(self) -> None:
        """End them."""
        for peer in self._processes.values():
            peer.communicate()


def _answer(name: str) -> None:
    """Be the peer of one backend: a case in a line of JSON, a line with seconds out."""
    subject: _Subject | None = None
    for line in sys.stdin:
        case = Case(**json.loads(line))
        if subject is None or subject.case != case:
            subject = None  # the old arrays first
            subject = _Subject(name, case)
        print(subject.seconds(), flush=True)


def _measure(chosen: Sequence[Experiment], limits: measuring.Limits, console: Console) -> list[Pair]:
    pairs: list[Pair] = []
    stamp = Stamp("agreement", "here", "", limits.target_ci)
    with (
        closing(ProcessPool({}, cell_timeout=180.0)) as pool,
        closing(_Peers()) as peers,
        Progress(console=console, transient=True) as bar,
    ):
        for experiment in bar.track(chosen, description=f"{len(chosen)} experiments"):
            theirs: dict[str, list[float]] = defaultdict(list)

            def ask(_: int, states: Sequence[ArmState]) -> None:
                for arm in (state.arm for state in states if state.alive):
                    if arm.role in _COMPARED:
                        theirs[arm.backend].append(peers.ask(arm.backend, experiment.case))  # noqa: B023  # called in this turn only

            states = measuring.run(experiment, pool, limits, len(pairs), ask)
            cells = [cell for cell in cells_of(experiment, states, stamp) if cell.role in _COMPARED]
            good = [cell for cell in cells if cell.status in ("ok", "noisy")]
            pairs += [(cell, median(theirs[cell.backend])) for cell in good]
    return pairs


def _compared(pairs: Sequence[Pair]) -> list[Compared]:
    return [
        Compared(case_label(cell.case), cell.backend, cell.time_s or 0.0, theirs) for cell, theirs in pairs
    ]


_STUDY = Study("agreement", Compared, section)
_EPILOG = """\
It measures for long, on a machine that does nothing else.

examples:
  python scripts/agreement.py --backends torch_eager,numpy_ufunc --sizes 1Mi
  python scripts/agreement.py --save results/validation/agreement --update docs/validation.md
  python scripts/agreement.py --read results/validation/agreement --update docs/validation.md --check

exit status: 0; 1 if less than 90 % of the cells agree, or if --check finds that the page would change; 2 for anything
that cannot be done.
"""


def _write(path: Path, pairs: Sequence[Pair]) -> None:
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow([*CELL_COLUMNS, "timer_s"])
        writer.writerows([*values_of(cell).values(), theirs] for cell, theirs in pairs)


def _options(argv: Sequence[str] | None) -> Namespace:
    parser = Parser(description=__doc__ or "", epilog=_EPILOG)
    parser.add_argument("--sizes", default="1Ki,32Ki,1Mi,16Mi", help="element counts, as for pytest bench/")
    parser.add_argument("--backends", help="a comma list (default: all)")
    parser.add_argument("--seconds", type=positive, default=6.0, help="for one experiment (default 6)")
    parser.add_argument("--csv", type=writable, help="write every pair there")
    parser.add_argument("--peer", help=SUPPRESS)
    add_study_options(parser)
    return parser.parse_args(argv)


def main(argv: Sequence[str] | None = None) -> int:
    """Measure and compare; 0 if enough cells agree, 1 if not, 2 for a bad option."""
    options = _options(argv)
    if options.peer:
        _answer(options.peer)
        return 0
    _STUDY.check(options)
    if options.read is not None:
        return _status(_STUDY.read(options)) if options.update is None else _STUDY.page(options)
    try:
        settings = parse({"sizes": options.sizes, "backends": options.backends})
    except OptionError as error:
        raise UsageError(str(error)) from error
    limits = measuring.Limits.of(settings.profile, options.seconds, settings.target_ci)
    pairs = _measure(plan(settings), limits, Console(stderr=True))
    if not pairs:
        raise UsageError("no cell was timed; see pytest bench/ for the reasons")
    if options.csv:
        _write(options.csv, pairs)
    found = _compared(pairs)
    _STUDY.keep(found, options)
    return _status(found)


def _status(found: Sequence[Compared]) -> int:
    return 0 if show(found) >= _WANTED else 1


if __name__ == "__main__":
    run(main, (UsageError, StoredError, MarkerError))
