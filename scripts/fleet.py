"""What does handing out a sweep cost, and is nothing lost when machines and commands die?

Everything is real but for the measuring: a Dask scheduler, workers, shards in processes of their own. These only wait.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Sequence
from pathlib import Path

from tabulate import tabulate

from bench.text.units import number_text
from scripts._shared.cli import Parser, UsageError, comma_list, count, positive, run
from scripts._shared.markers import MarkerError
from scripts._shared.stored import StoredError
from scripts._shared.validation import Study, add_study_options, parsed
from scripts._sweep.connecting import why_not
from scripts._sweep.outlook import on_paper, outlook, real_run
from scripts._sweep.trials import Figure, crashes, idle, planning, throughput

__all__ = ["main"]

_EPILOG = """\
A machine is a worker with a loopback address of its own, so this runs on Linux, and says nothing of a network.
Throughput (--shards, 0 for none) says something only where the machine does nothing else. What one client takes is
measured with machines that are simulated in its own process, and reckoned for 1,000 machines and 10 million cells.

examples:
  python scripts/fleet.py
  python scripts/fleet.py --machines 2 --shards 5 --idle-seconds 0 --worker-kills 0 --client-kills 0 --simulated 0
  python scripts/fleet.py --save results/validation/fleet --update docs/fleet.md

exit status: 0; 1 if a figure is not as good as it is wanted; 2 for anything that cannot be done.
"""
_REFERENCE = Path("results/reference")


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line `argv`; returns the exit status.  Raises UsageError, StoredError or MarkerError."""
    options = _parse(argv)
    study = Study("fleet", Figure, _section)
    if options.read is None and why_not():
        raise UsageError(why_not())
    return study.carry_out(options, _measured, _told, "nothing was asked for; see --help")


def _parse(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = Parser(description=__doc__ or "", epilog=_EPILOG)
    add = parser.add_argument
    add(
        "--machines",
        type=comma_list(),
        default=("2", "4", "8"),
        metavar="A,B",
        help="workers (default 2,4,8)",
    )
    add(
        "--shards",
        type=count,
        default=20,
        metavar="N",
        help="shards a machine, 0 for no throughput (default 20)",
    )
    add("--seconds", type=positive, default=2.0, metavar="S", help="what a shard takes (default 2)")
    add("--idle-seconds", type=count, default=30, metavar="S", help="of an idle worker (default 30)")
    add("--cells", type=count, default=100_000, metavar="N", help="cells to plan (default 100000)")
    add("--worker-kills", type=count, default=20, metavar="N", help="workers that die (default 20)")
    add("--client-kills", type=count, default=5, metavar="N", help="sweeps that die and go on (default 5)")
    add("--simulated", type=count, default=1000, metavar="N", help="machines that are not there, whose rows one client "
        "takes (default 1000)")  # fmt: skip
    add(
        "--like",
        type=Path,
        metavar="RUN",
        help=f"whose rows those send (default: the largest under {_REFERENCE})",
    )
    add_study_options(parser)
    return parsed(parser, argv)


def _measured(options: argparse.Namespace) -> Iterator[Sequence[Figure]]:
    yield planning(options.cells)
    if options.simulated:
        yield outlook(options.simulated, options.like or real_run(_REFERENCE))
    if options.idle_seconds:
        yield [idle(options.idle_seconds)]
    for machines in options.machines if options.shards else ():
        yield throughput(int(machines), options.shards, options.seconds)
    if options.worker_kills or options.client_kills:
        yield crashes(options.worker_kills, options.client_kills)


def _section(found: Sequence[Figure]) -> str:
    rows = [(each.what, each.of, number_text(each.value), each.wanted_text, each.verdict) for each in found]
    headers = ("", "of", "found", "wanted", "reached")
    table = tabulate(rows, headers, tablefmt="github", disable_numparse=True)
    return "\n\n".join(filter(None, (table, on_paper(found))))


def _told(found: Sequence[Figure]) -> int:
    print(_section(found))
    return 0 if all(each.met for each in found) else 1


if __name__ == "__main__":
    run(main, (UsageError, StoredError, MarkerError))
