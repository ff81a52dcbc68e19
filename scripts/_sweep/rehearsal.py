"""A sweep of stand-ins: all that a real one does, but for the measuring.  As a module: a client that can be killed."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path

from bench.records.lock import alone_in
from scripts._sweep.connecting import connected
from scripts._sweep.engine import Engine
from scripts._sweep.index import asked_before, lanes_in
from scripts._sweep.lanes import ANY, Lanes
from scripts._sweep.planning import Plan
from scripts._sweep.standin import program
from scripts._sweep.sweeping import Asked, Sweep, problems

__all__ = ["Rehearsal", "rehearse"]

_WAIT_S = 60.0


class Rehearsal(argparse.Namespace):
    """What is rehearsed."""

    scheduler: str
    folder: Path
    machines: int
    shards: int
    seconds: float
    experiments: int


def rehearse(wanted: Rehearsal, say: Callable[[str], None] = print) -> Lanes:
    """Sweep over the machines that are there, or go on with what is in the folder; one run, however many machines."""
    name = wanted.folder.name
    before = asked_before(wanted.folder)
    lanes = Lanes(name, ANY, wanted.shards) if before is None else lanes_in(before, name)
    cells = 2 * wanted.shards * wanted.experiments
    asked = Asked(
        folder=wanted.folder,
        options=(),
        plan=Plan((wanted.seconds,) * wanted.shards, cells),
        patience_s=_WAIT_S,
        program=program(wanted.seconds, wanted.experiments),
    )
    with connected(wanted.scheduler) as client, alone_in(wanted.folder):
        engine = Engine(client, name)
        engine.wait_for(wanted.machines, _WAIT_S)
        Sweep(asked, lanes, engine, say).run()
    return lanes


def main() -> None:
    """Rehearse what the command line says; exit status 1 where something is missing."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--scheduler", required=True)
    parser.add_argument("--folder", type=Path, required=True)
    parser.add_argument("--machines", type=int, default=1)
    parser.add_argument("--shards", type=int, required=True)
    parser.add_argument("--seconds", type=float, required=True)
    parser.add_argument("--experiments", type=int, required=True)
    lanes = rehearse(parser.parse_args(namespace=Rehearsal()))
    for line in problems(lanes.all):
        print(line)
    raise SystemExit(bool(problems(lanes.all)))


if __name__ == "__main__":
    main()
