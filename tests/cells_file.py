"""A file of cells that is right, and ways to spoil it, for tests of what reads it."""

from __future__ import annotations

import csv
from collections.abc import Callable
from pathlib import Path

from bench.records.reading import ReadError
from bench.records.schema import CELL_COLUMNS
from tests.factories import as_csv, cell, experiment

__all__ = ["CELLS", "GOOD", "LINES", "refusal", "save", "with_field"]

CELLS = [
    *experiment({"numpy_ufunc": 2e-3, "torch_eager": 1e-3, "numba_tuned[thp]": 5e-4}),
    cell("jax_jit", None, status="skipped", reason='immutable: "out" is refused, always'),
]
GOOD = as_csv(CELLS)
LINES = GOOD.splitlines()


def save(folder: Path, text: str | bytes) -> Path:
    path = folder / "cells.csv"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


def with_field(row: int, column: str, value: str) -> str:
    """GOOD with one field changed; `row` is its line in the file, from 1."""
    rows = list(csv.reader(LINES))
    rows[row - 1][CELL_COLUMNS.index(column)] = value
    return (
        "\n".join(",".join(f'"{v}"' if set(v) & set(',"') else v for v in map(escape, r)) for r in rows)
        + "\n"
    )


def escape(value: str) -> str:
    return value.replace('"', '""')


def refusal(action: Callable[[], object]) -> str | None:
    try:
        action()
    except ReadError as error:
        return str(error)
    return None
