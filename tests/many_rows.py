"""A run of as many rows as one likes, for what grows with them: ``python -m tests.many_rows ROWS FOLDER [ROUNDS]``.

The rows are those of the reference run, again and again: each time of other sizes, and every figure a little different,
so that texts repeat as in a real run and numbers do not.
"""

from __future__ import annotations

import csv
import itertools
import random
import sys
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from bench.records.schema import CELL_KEY, ROUND_COLUMNS

__all__ = ["many_rounds", "many_rows"]

_REFERENCE = Path("results/reference/amd-epyc-2c")
_FIGURES = ("_s", "_per_s", "_lo", "_hi", "fraction", "speedup", "over_leader", "noise_floor", "_sd")
"""How the names of columns end whose figures are made a little different."""
_FURTHER = 4096 * 784 * 5
"""Elements between the sizes of one repetition and those of the next: whole rows of every network there."""
_FIXED = {"order": "0", "iterations": "100", "contended": "0"}
_ROUNDS = tuple(name for name in ROUND_COLUMNS if name not in CELL_KEY)


def many_rows(folder: Path, rows: int) -> Path:
    """A run's folder with so many cells; returns it."""
    _write(folder / "cells.csv", itertools.islice(_cells(), rows + 1))
    return folder


def many_rounds(folder: Path, rounds: int) -> None:
    """Beside the cells in `folder`: so many rounds of each cell that is timed."""
    _write(folder / "rounds.csv", _rounds(folder / "cells.csv", rounds))


def _cells() -> Iterator[Sequence[str]]:
    """Endless lines of cells.csv, the header first."""
    header, *pattern = _read(_REFERENCE / "cells.csv")
    yield header
    place = header.index("n")
    figures = [at for at, name in enumerate(header) if name.endswith(_FIGURES)]
    draw = random.Random(7)
    further = 0
    while True:
        for row in map(list, pattern):
            row[place] = str(int(row[place]) + further)
            factor = draw.uniform(0.99, 1.01)
            for at in figures:
                if row[at] not in ("", "1.0"):
                    row[at] = repr(float(row[at]) * factor)
            yield row
        further += _FURTHER


def _rounds(cells: Path, rounds: int) -> Iterator[Sequence[str]]:
    """The lines of rounds.csv, the header first."""
    yield ROUND_COLUMNS
    header, *_ = _read(cells, 1)
    draw = random.Random(8)
    places = [header.index(name) for name in CELL_KEY]
    time_s = header.index("time_s")
    with cells.open(newline="", encoding="utf-8") as file:
        for row in itertools.islice(csv.reader(file), 1, None):
            for number in range(rounds if row[time_s] else 0):
                seconds = float(row[time_s]) * draw.uniform(0.95, 1.05)
                values = _FIXED | {
                    "round": str(number),
                    "seconds": repr(seconds),
                    "process": str(1 + number % 2),
                }
                yield [*(row[at] for at in places), *(values.get(name, "") for name in _ROUNDS)]


def _read(path: Path, rows: int | None = None) -> list[list[str]]:
    """The header and so many rows, or all."""
    with path.open(newline="", encoding="utf-8") as file:
        return list(itertools.islice(csv.reader(file), None if rows is None else rows + 1))


def _write(path: Path, lines: Iterable[Sequence[str]]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", newline="", encoding="utf-8") as file:
        csv.writer(file, lineterminator="\n").writerows(lines)


if __name__ == "__main__":
    made = many_rows(Path(sys.argv[2]), int(sys.argv[1]))
    if len(sys.argv) > 3:
        many_rounds(made, int(sys.argv[3]))
