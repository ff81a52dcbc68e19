"""What a run of ``pytest bench/`` should have: its cells by their keys, and its rounds in pytest-benchmark's words."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import Any

from bench.plan.options import parse
from bench.records.schema import CELL_KEY
from bench.run.run import plan
from tests.running import Outcome

__all__ = ["ARMS", "FEW", "QUIETLY", "key", "planned", "recorded", "replayed"]

ARMS = ("--backends", "numpy_ufunc,numba_jit")
FEW = ("--ops", "relu", "--directions", "forward", "--placements", "new", "--sizes", "64")
QUIETLY = ("--benchmark-quiet",)


def key(row: dict[str, str]) -> tuple[str, ...]:
    return tuple(row[column] for column in CELL_KEY)


def planned(**options: str) -> Counter[tuple[str, ...]]:
    """The cells that a run of these options has to have, without the run's name."""
    return Counter(
        (arm.backend, arm.variant.name, arm.role, *(str(value) for value in case_values(experiment)))
        for experiment in plan(parse({"baseline": "numpy_ufunc", **options}))
        for arm in experiment.arms
    )


def case_values(experiment: Any) -> list[object]:
    return [getattr(experiment.case, axis) for axis in CELL_KEY[4:]]


def replayed(report: Path) -> dict[tuple[str, ...], list[float]]:
    """The rounds that pytest-benchmark has seen, by cell."""
    benchmarks = json.loads(report.read_text())["benchmarks"]
    return {key(each["extra_info"]): each["stats"]["data"] for each in benchmarks}


def recorded(outcome: Outcome) -> dict[tuple[str, ...], list[float]]:
    """Seconds of the rounds of each cell, in their order."""
    last: dict[tuple[str, ...], dict[tuple[str, str], float]] = {}
    for row in outcome.rounds:
        last.setdefault(key(row), {})[row["process"], row["round"]] = float(row["seconds"])
    return {cell: list(rounds.values()) for cell, rounds in last.items()}
