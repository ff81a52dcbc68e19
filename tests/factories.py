"""Runs made up for tests: cells with known figures, as the suite would have written them."""

from __future__ import annotations

import csv
import dataclasses
import io
import json
import math
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from bench.records.schema import (
    CELL_COLUMNS,
    CELL_KEY,
    ROUND_COLUMNS,
    SCHEMA,
    Cell,
    Round,
    record_of,
    values_of,
)
from bench.stats.verdicts import alone, interval_of, pair_of
from kernels.api import AXES, Case
from kernels.networks.case import case_of


def cell(backend: str = "torch_eager", time_s: float | None = 1e-3, **changes: Any) -> Cell:
    """One cell; what follows from the case and the time is filled in, intervals are ±1 %."""
    row: dict[str, Any] = {
        "schema": SCHEMA,
        "run_id": "run1",
        "machine": "test-2c",
        "started_utc": "2026-01-02T03:04:05Z",
        "backend": backend,
        "variant": "",
        "role": "candidate",
        **dataclasses.asdict(Case("relu")),
        "status": "ok",
        "reason": "",
        "baseline": "numpy_ufunc",
        "threads_effective": 2,
    }
    row |= {name: value for name, value in changes.items() if name in row}
    if time_s is not None:
        case = case_of(**{name: row[name] for name in AXES})
        row |= {"time_s": time_s, "time_lo_s": time_s * 0.99, "time_hi_s": time_s * 1.01, "noise_floor": 0.02}
        row |= {
            "bytes_moved": case.bytes_moved,
            "gb_per_s": case.bytes_moved / time_s / 1e9 if time_s else None,
        }
    return record_of(Cell, row | changes)


def experiment(times: Mapping[str, float], **changes: Any) -> list[Cell]:
    """The cells of one case: seconds per call by arm name (``backend`` or ``backend[variant]``).

    The first is the baseline; ratios have intervals of ±1 %.  Arms are `same` within 2 %, told apart beyond 3 %.
    """
    base_s, leader = next(iter(times.values())), min(times, key=lambda name: times[name])
    cells = []
    for place, (name, time_s) in enumerate(times.items()):
        backend, _, variant = name.rstrip("]").partition("[")
        ratio = base_s / time_s
        figures: dict[str, Any] = {"speedup": ratio, "speedup_lo": 0.99 * ratio, "speedup_hi": 1.01 * ratio}
        if place == 0:
            figures = {"role": "baseline", "speedup": 1.0, "speedup_lo": 1.0, "speedup_hi": 1.0}
        else:
            figures["verdict"] = _word(1 / ratio)
        over = time_s / times[leader]
        figures |= {"over_leader": over, "over_leader_lo": 0.99 * over, "over_leader_hi": 1.01 * over}
        figures |= {"leader": leader, "leader_verdict": _word(over), "leader_noise_floor": 0.02}
        figures |= {"variant": variant, "baseline": next(iter(times))}
        cells.append(cell(backend, time_s, **(figures | changes)))
    return cells


def _word(ratio: float) -> str:
    """The verdict on an arm whose time is `ratio` times the other's."""
    size = abs(math.log(ratio))
    return "same" if size < 0.02 else "unresolved" if size < 0.03 else "slower" if ratio > 1 else "faster"


def row_text(record: Cell | Round) -> list[str]:
    """The fields of a row as they stand in the file."""
    return ["" if value is None else str(value) for value in values_of(record).values()]


def as_csv(records: Iterable[Cell | Round], header: Iterable[str] = CELL_COLUMNS) -> str:
    """The text of a file with these rows."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(header)
    writer.writerows(row_text(record) for record in records)
    return text.getvalue()


def write_run(
    folder: Path,
    cells: Iterable[Cell],
    rounds: Iterable[Round] | None = None,
    environment: Mapping[str, Any] | None = None,
) -> Path:
    """A run's directory with its cells.csv, and rounds.csv and environment.json if given; returns it."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "cells.csv").write_text(as_csv(cells), encoding="utf-8", newline="")
    if rounds is not None:
        (folder / "rounds.csv").write_text(as_csv(rounds, ROUND_COLUMNS), encoding="utf-8", newline="")
    if environment is not None:
        (folder / "environment.json").write_text(json.dumps(environment), encoding="utf-8")
    return folder


def sampled(
    samples: Mapping[str, Sequence[float]], processes: int = 1, **changes: Any
) -> tuple[list[Cell], list[Round]]:
    """The cells and rounds of one case: seconds of each round by arm name; the figures follow from them.

    The first arm is the baseline, ``twin`` its twin, names that start with ``copy`` are ceilings.  The rounds are of
    `processes` in turn.
    """
    seconds = {name: np.asarray(values, float) for name, values in samples.items()}
    base = next(iter(seconds))
    cells, rounds = [], []
    for name, values in seconds.items():
        backend = base if name == "twin" else name
        role = {base: "baseline", "twin": "twin"}.get(name, "ceiling" if name[:4] == "copy" else "candidate")
        mine, its = (
            {(1 + n % processes, n): float(value) for n, value in enumerate(each)}
            for each in (values, seconds[base])
        )
        time, speedup = (interval_of(alone(mine), 0.0, 9.0), interval_of(pair_of(its, mine), 0.0, 9.0))  # type: ignore[arg-type]  # there are rounds
        figures: dict[str, Any] = {"time_lo_s": time.lo, "time_hi_s": time.hi, "rounds": len(values)}
        figures |= {"speedup": speedup.value, "speedup_lo": speedup.lo, "speedup_hi": speedup.hi}
        record = cell(backend, time.value, **(figures | {"role": role, "baseline": base} | changes))
        cells.append(record)
        shared = {field: values_of(record)[field] for field in CELL_KEY}
        fixed = {"order": 0, "iterations": 10, "contended": 0}
        rounds += [
            record_of(
                Round,
                shared
                | fixed
                | {"round": number, "seconds": float(value), "process": 1 + number % processes},
            )
            for number, value in enumerate(values)
        ]
    return cells, rounds
