"""Does the suite measure what others measure?

Each experiment of the quick profile at some sizes, and after each of its rounds ``torch.utils.benchmark.Timer`` on the
calls of the arms that were in it, in a process of its own for each backend. So both see the machine in the same state.
Compared are the medians. Prints each pair, and the share that agrees within 10 %.
"""

from __future__ import annotations

import csv
from argparse import Namespace
from collections import defaultdict
from collections.abc import Generator, Sequence
from contextlib import closing, nullcontext
from pathlib import Path
from statistics import median

from rich.console import Console
from rich.progress import Progress

import scripts._shared.system as _system  # noqa: F401  # first of all: what follows cannot be imported everywhere
from bench.plan.experiments import Experiment, case_label
from bench.plan.options import OptionError, parse
from bench.records.lock import alone_on_this_machine
from bench.records.schema import CELL_COLUMNS, Cell, values_of
from bench.run import experiment as measuring
from bench.run.arm_state import ArmState
from bench.run.process import ArmError, ChildProcess
from bench.run.process_pool import ProcessPool
from bench.run.rows import Stamp, cells_of
from bench.run.run import plan
from bench.text.units import count_text
from kernels.api import Case
from scripts._agreement.compared import Compared, section, show
from scripts._agreement.messages import PEER, TimeOf
from scripts._shared.cli import Parser, UsageError, positive, run, writable
from scripts._shared.markers import MarkerError
from scripts._shared.stored import StoredError
from scripts._shared.validation import Study, add_study_options, parsed

__all__ = ["main"]

_WANTED = 0.90
"""The share of cells that have to agree."""
_LONGEST_S = 180.0
"""A cell that takes longer has come to a halt."""
_COMPARED = ("candidate", "baseline")
Pair = tuple[Cell, float]
"""A cell of ours and the other timer's seconds for the same call."""


class _Peers:
    """One process for each backend, which answers as long as this one asks."""

    def __init__(self) -> None:
        self._processes: dict[str, ChildProcess] = {}

    def ask(self, backend: str, case: Case, turn: int) -> float:
        """The Timer's seconds per call for the case, in that round.  Raises UsageError."""
        if backend not in self._processes:
            self._processes[backend] = ChildProcess(PEER)
        try:
            return self._processes[backend].call(TimeOf(backend, case, turn), _LONGEST_S)
        except ArmError as error:
            raise UsageError(f"the peer for {backend} gave no time: {error}") from None

    def close(self) -> None:
        """End them."""
        for peer in self._processes.values():
            peer.close()


def _measure(chosen: Sequence[Experiment], limits: measuring.Limits, console: Console) -> list[Pair]:
    pairs: list[Pair] = []
    stamp = Stamp("agreement", "here", "")
    with (
        closing(ProcessPool({}, cell_timeout=180.0)) as pool,
        closing(_Peers()) as peers,
        Progress(console=console, transient=True) as bar,
    ):
        for experiment in bar.track(chosen, description=count_text(len(chosen), "experiment")):
            rounds = measuring.in_rounds(experiment, pool, limits, len(pairs))
            states, theirs = _in_turn(rounds, peers, experiment.case)
            cells = [cell for cell in cells_of(experiment, states, stamp) if cell.role in _COMPARED]
            good = [cell for cell in cells if cell.status in ("ok", "noisy")]
            pairs += [(cell, median(theirs[cell.backend])) for cell in good]
    return pairs


def _in_turn(
    rounds: Generator[Sequence[ArmState], None, measuring.Measured], peers: _Peers, case: Case
) -> tuple[Sequence[ArmState], dict[str, list[float]]]:
    """The arms after the last round, and the peers' seconds after each round that an arm was in, by backend."""
    theirs: dict[str, list[float]] = defaultdict(list)
    while True:
        try:
            states = next(rounds)
        except StopIteration as end:
            measured: measuring.Measured = end.value
            return measured.states, theirs
        for state in states:
            backend = state.arm.backend
            if state.alive and state.arm.role in _COMPARED and len(state.batches) > len(theirs[backend]):
                theirs[backend].append(peers.ask(backend, case, state.batches[-1].round))


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
    add_study_options(parser)
    return parsed(parser, argv)


def main(argv: Sequence[str] | None = None) -> int:
    """Measure and compare; 0 if enough cells agree, 1 if not, 2 for a bad option."""
    options = _options(argv)
    _STUDY.check(options)
    if options.read is not None:
        return _status(_STUDY.read(options)) if options.update is None else _STUDY.page(options)
    try:
        settings = parse({"sizes": options.sizes, "backends": options.backends})
    except OptionError as error:
        raise UsageError(str(error)) from error
    limits = measuring.Limits.of(settings.profile, options.seconds)
    with nullcontext() if settings.force else alone_on_this_machine("agreement.py"):
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
