"""Pairs of runs whose differences are known, for the tests of `scripts/compare.py`."""

from __future__ import annotations

import csv
import functools
import io
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from bench.machine.environment import DIFFERS
from bench.records.schema import Cell, Round
from scripts.compare import main
from tests.factories import sampled, write_run

SIZES = (1 << 10, 1 << 15, 1 << 20, 1 << 24)
ARMS = ("numpy_ufunc", "torch_eager", "jax_jit", "twin", "copy_plain", "copy_streaming")
ENVIRONMENT = dict.fromkeys(DIFFERS, "x") | {"packages": {"numpy": "2.4.6", "torch": "2.13.0"}}
PROCESSES: Any = {"processes": 1, "process_sd": 0.005, "process_df": 12.0}
Measured = tuple[list[Cell], list[Round]]


def measure(seed: int, factors: Mapping[tuple[str, int], float] | None = None, **changes: Any) -> Measured:
    """Four sizes of relu, 20 rounds with 1 % of noise, processes with 0.5 %; `factors` slow an arm down at a size."""
    return _measure(seed, tuple((factors or {}).items()), SIZES, tuple(changes.items()))


def measure_at(sizes: Sequence[int], seed: int, factors: Mapping[tuple[str, int], float]) -> Measured:
    """As `measure`, at these sizes."""
    return _measure(seed, tuple(factors.items()), tuple(sizes), ())


@functools.cache
def _measure(seed: int, factors: Any, sizes: Sequence[int], changes: Any) -> Measured:
    rng = np.random.default_rng(seed)
    cells, rounds = [], []
    for n in sizes:
        rates = {name: 1e-9 * (2 + place) * n for place, name in enumerate(ARMS)}
        seconds = {
            name: rate * dict(factors).get((name, n), 1.0) * np.exp(rng.normal(0, 0.01, 20))
            for name, rate in rates.items()
        }
        found = sampled(seconds, n=n, run_id=f"run{seed}", **(PROCESSES | dict(changes)))
        cells += found[0]
        rounds += found[1]
    return cells, rounds


def everywhere(factor: float, arms: Sequence[str] = ARMS) -> dict[tuple[str, int], float]:
    return {(name, n): factor for name in arms for n in SIZES}


def write(folder: Path, measured: Measured, environment: Any = ENVIRONMENT, *, rounds: bool = True) -> str:
    return str(write_run(folder, measured[0], measured[1] if rounds else None, environment))


def table(capsys: pytest.CaptureFixture[str], status: int, *arguments: str) -> dict[str, dict[str, str]]:
    """The rows of ``--format csv`` by backend and size; `status` is the exit status wanted."""
    assert main([*arguments, "--format", "csv"]) == status
    rows = csv.DictReader(io.StringIO(capsys.readouterr().out))
    return {f"{row['backend']}{row['variant']} {row['n']}": row for row in rows}


def changes(rows: Mapping[str, Mapping[str, str]]) -> dict[str, str]:
    """What is neither the same nor unresolved."""
    return {name: row["change"] for name, row in rows.items() if row["change"] not in ("same", "unresolved")}
