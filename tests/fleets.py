"""Runs of two machines, whose ids are the same, for tests of whoever reads several."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from bench.machine.environment import DIFFERS
from bench.records.schema import Cell, Round
from tests.factories import experiment, sampled, write_run

__all__ = ["SIZES", "SPEEDUPS", "fleet", "timed_fleet"]

SIZES = (1 << 10, 1 << 20)
SPEEDUPS: Mapping[str, Mapping[int, float]] = {
    "small-2c": {1 << 10: 2.0, 1 << 20: 2.0},
    "large-8c": {1 << 10: 2.005, 1 << 20: 8.0},
}
"""Of numba_tuned over torch_eager, by machine and size; numba_jit takes 1.2 times its time."""
_BASE_S = {"small-2c": 1e-9, "large-8c": 3e-9}
"""Seconds an element of torch_eager."""


def environment(machine: str) -> dict[str, Any]:
    return {**dict.fromkeys(DIFFERS, "x"), "machine": machine, "packages": {"numpy": "2.4.6"}}


def fleet(folder: Path) -> list[str]:
    """A run of each machine, with intervals and no rounds; their directories."""
    return [
        str(write_run(folder / machine, _cells(machine), environment=environment(machine)))
        for machine in SPEEDUPS
    ]


def _cells(machine: str) -> list[Cell]:
    found: list[Cell] = []
    for n in SIZES:
        base_s = n * _BASE_S[machine]
        times = {
            "torch_eager": base_s,
            "numba_tuned": base_s / SPEEDUPS[machine][n],
            "numba_jit": 1.2 * base_s,
        }
        cores = int(machine.rpartition("-")[2].removesuffix("c"))
        arms = experiment(times, n=n, machine=machine, ceiling_gb_per_s=50.0, threads_effective=cores)
        found += [_with_kind(cell) for cell in arms]
    return found


def _with_kind(cell: Cell) -> Cell:
    return replace(cell, kind="parallel" if cell.backend == "numba_tuned" else "serial")


def timed_fleet(folder: Path) -> list[str]:
    """The same with rounds: on the large machine numba_tuned is the faster one, on the small one torch_eager."""
    made = []
    for machine, factor in (("small-2c", 2.0), ("large-8c", 0.5)):
        cells: list[Cell] = []
        rounds: list[Round] = []
        for n in SIZES:
            noise = (1.0, 1.01, 0.99, 1.005, 0.995, 1.0, 1.01, 0.99)
            seconds = {"torch_eager": [n * 1e-9 * each for each in noise]}
            seconds["numba_tuned"] = [factor * each for each in seconds["torch_eager"]]
            some = sampled(seconds, n=n, machine=machine)
            cells += some[0]
            rounds += some[1]
        made.append(str(write_run(folder / machine, cells, rounds, environment(machine))))
    return made
