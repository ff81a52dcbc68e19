"""The rounds of runs whose arms were measured in several processes, as the simulations need them.

A recording is a CSV file (plain or .gz) with the columns of `Batch`, one row a batch; `scripts._simulate.condense`
makes one of runs.
"""

from __future__ import annotations

import csv
import dataclasses
import gzip
import io
import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import get_type_hints

import numpy as np
import numpy.typing as npt

from bench.stats.verdicts import Rounds
from scripts._shared.cli import UsageError

__all__ = ["Batch", "Experiment", "Floats", "Visit", "as_rounds", "experiments", "read", "write"]

Floats = npt.NDArray[np.float64]
_FEWEST_ROUNDS = 6
"""An arm with fewer in a process says too little of its noise to draw from."""
_DIGITS = 5
"""Significant, of a number that is kept: far below any noise, and a file that is small."""


@dataclass(frozen=True, slots=True)
class Batch:
    """One timed batch; `process` numbers the processes of its arm from 1."""

    case: str
    bytes_moved: int
    backend: str
    arm: str
    role: str
    parallel: int
    process: int
    round: int
    iterations: int
    seconds: float
    part_q25_s: float
    mean_s: float
    cpu_reading_s: float
    """0 where nobody looked."""
    waited_s: float


@dataclass(frozen=True, slots=True)
class Visit:
    """The rounds of an experiment in one process of every arm: arrays with a row an arm and a column a round."""

    seconds: Floats
    """The median of a batch's parts."""
    q25: Floats
    mean: Floats
    reading: Floats
    waited: Floats
    """Seconds per call that threads, all together, were ready without a CPU."""
    batch: Floats
    """Seconds of the whole batch."""


@dataclass(frozen=True, slots=True)
class Experiment:
    """A case, its arms in one order, and a visit for each process."""

    case: str
    bytes_moved: int
    backends: tuple[str, ...]
    roles: tuple[str, ...]
    parallel: tuple[bool, ...]
    visits: tuple[Visit, ...]


def as_rounds(logs: Sequence[Floats]) -> Rounds:
    """One arm's logs, an array a process, as the suite's arithmetic takes them: seconds by process and round."""
    return {
        (process, number): math.exp(value)
        for process, visit in enumerate(logs, 1)
        for number, value in enumerate(visit.tolist())
    }


def read(path: Path) -> list[Batch]:
    """The batches of a recording.  Raises UsageError for a file that is none."""
    types = get_type_hints(Batch)
    names = [field.name for field in dataclasses.fields(Batch)]
    try:
        raw = path.read_bytes()
        text = (gzip.decompress(raw) if path.suffix == ".gz" else raw).decode()
        rows = csv.DictReader(io.StringIO(text), strict=True)
        return [Batch(**{name: types[name](row[name]) for name in names}) for row in rows]
    except OSError as error:
        raise UsageError(f"{path}: {error.strerror or error}; name a recording (--keep makes one)") from error
    except (KeyError, TypeError, ValueError, EOFError, csv.Error) as error:
        told = f"{type(error).__name__} {error}"
        raise UsageError(f"{path}: no recording ({told}); --keep makes one of a run") from error


def write(path: Path, batches: Iterable[Batch]) -> None:
    """A recording of `batches`; the same bytes for the same batches."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow([field.name for field in dataclasses.fields(Batch)])
    for batch in batches:
        values = dataclasses.astuple(batch)
        writer.writerow([f"{value:.{_DIGITS}g}" if isinstance(value, float) else value for value in values])
    data = text.getvalue().encode()
    path.write_bytes(gzip.compress(data, mtime=0) if path.suffix == ".gz" else data)


def experiments(batches: Sequence[Batch]) -> list[Experiment]:
    """The experiments of a recording, without the floor; an arm stays if every process has enough of its rounds.

    Rounds that one of the arms lacks are left out, and experiments whose baseline does not stay.
    """
    found: dict[str, dict[str, dict[int, dict[int, Batch]]]] = {}
    for batch in batches:
        if batch.role != "floor":
            arms = found.setdefault(batch.case, {})
            arms.setdefault(batch.arm, {}).setdefault(batch.process, {})[batch.round] = batch
    made = (_experiment(case, arms) for case, arms in found.items())
    return [each for each in made if each is not None]


def _experiment(case: str, arms: dict[str, dict[int, dict[int, Batch]]]) -> Experiment | None:
    processes = sorted({process for each in arms.values() for process in each})
    kept = {
        name: visits
        for name, visits in arms.items()
        if all(len(visits.get(process, {})) >= _FEWEST_ROUNDS for process in processes)
    }
    if len(kept) < 2 or "baseline" not in {batch.role for batch in _firsts(kept, processes[0])}:
        return None
    one = _firsts(kept, processes[0])
    return Experiment(
        case,
        one[0].bytes_moved,
        tuple(batch.backend for batch in one),
        tuple(batch.role for batch in one),
        tuple(bool(batch.parallel) for batch in one),
        tuple(_visit([visits[process] for visits in kept.values()]) for process in processes),
    )


def _firsts(arms: dict[str, dict[int, dict[int, Batch]]], process: int) -> list[Batch]:
    """Of each arm a batch, for what is the same in all of its."""
    return [next(iter(visits[process].values())) for visits in arms.values()]


def _visit(arms: Sequence[dict[int, Batch]]) -> Visit:
    shared = sorted(set.intersection(*(set(rounds) for rounds in arms)))
    table = [[rounds[number] for number in shared] for rounds in arms]

    def column(values: Iterator[float]) -> Floats:
        return np.fromiter(values, np.float64, len(arms) * len(shared)).reshape(len(arms), len(shared))

    flat = [batch for row in table for batch in row]
    return Visit(
        seconds=column(batch.seconds for batch in flat),
        q25=column(batch.part_q25_s for batch in flat),
        mean=column(batch.mean_s for batch in flat),
        reading=column(batch.cpu_reading_s for batch in flat),
        waited=column(batch.waited_s / batch.iterations for batch in flat),
        batch=column(batch.mean_s * batch.iterations for batch in flat),
    )
