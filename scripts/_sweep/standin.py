"""A stand-in for a shard: takes a fixed time, and writes rows of experiments that nobody measured.

For `scripts.fleet` and the tests.  The time counts from the start of the process, so that it is as fixed as a clock is.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Iterator
from pathlib import Path

import psutil

from bench.machine.environment import utc_now
from bench.plan.shards import shard
from bench.records.lines import Key, key_of
from bench.records.schema import SCHEMA, Cell, CellName, Round
from bench.records.writing import RunFiles
from kernels.api import Case

__all__ = ["ROUNDS", "names", "program"]

_ARMS = {"numpy_ufunc": "baseline", "numba_tuned": "candidate"}
ROUNDS = 3


def program(seconds: float, experiments: int) -> tuple[str, ...]:
    """What a worker's Python is told, in the place of `pytest bench/`."""
    return ("-m", __name__, f"--seconds={seconds}", f"--experiments={experiments}")


def names(run_id: str, shards: int, experiments: int) -> Iterator[Key]:
    """The cells that so many shards make."""
    for number in range(1, shards + 1):
        for case in _cases(number, experiments):
            for backend, role in _ARMS.items():
                yield key_of(CellName(run_id, backend, "", role, case))


def _cases(number: int, experiments: int) -> list[Case]:
    return [Case("relu", n=1000 * number + each) for each in range(experiments)]


def main() -> None:
    """Write an experiment after each part of the time, those that are there already at once."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, required=True)
    parser.add_argument("--experiments", type=int, required=True)
    parser.add_argument("--shard", type=shard, required=True)
    parser.add_argument("--results", type=Path, required=True)
    parser.add_argument("--run-id", required=True)
    options = parser.parse_args()
    began = psutil.Process().create_time()
    files = RunFiles(options.results / options.run_id)
    stored = files.open()
    if files.environment() is None:
        files.write_environment({"machine": "stand-in", "options": {}})
    for place, case in enumerate(_cases(options.shard.number, options.experiments), start=1):
        until = began + options.seconds * place / options.experiments
        time.sleep(max(until - time.time(), 0.0))  # this is all the work there is
        cells = [_cell(options.run_id, case, backend, role) for backend, role in _ARMS.items()]
        if key_of(cells[0]) not in stored:
            files.append(cells, [each for cell in cells for each in _rounds(cell)])


def _cell(run_id: str, case: Case, backend: str, role: str) -> Cell:
    return Cell(
        schema=SCHEMA,
        run_id=run_id,
        machine="stand-in",
        started_utc=utc_now(),
        backend=backend,
        variant="",
        role=role,
        case=case,
        status="ok",
        rounds=ROUNDS,
    )


def _rounds(cell: Cell) -> Iterator[Round]:
    name = (cell.run_id, cell.backend, cell.variant, cell.role, cell.case)
    for number in range(ROUNDS):
        yield Round(*name, round=number, order=0, iterations=1, seconds=1e-3, contended=0)


if __name__ == "__main__":
    main()
