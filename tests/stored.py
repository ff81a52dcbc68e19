"""Cells and rounds for the tests of what writes them, and reads them again."""

from __future__ import annotations

from collections.abc import Mapping

from bench.records.lines import Key
from bench.records.schema import SCHEMA, Cell, Round
from bench.records.stored import Stored
from kernels.api import Case

CASE = Case("relu", n=64)


def cell(backend: str, **values: object) -> Cell:
    fixed = {"schema": SCHEMA, "run_id": "r", "machine": "m", "started_utc": "2026-01-01T00:00:00Z"}
    named = {"variant": "", "role": "candidate", "status": "ok"}
    return Cell(backend=backend, case=CASE, **(fixed | named | values))  # type: ignore[arg-type]


def rounds(backend: str, *seconds: float) -> list[Round]:
    return [
        Round("r", backend, "", "candidate", CASE, number, order=0, iterations=10, seconds=each, contended=0)
        for number, each in enumerate(seconds)
    ]


def backends(stored: Mapping[Key, Stored]) -> list[str]:
    return [each.cell.backend for each in stored.values()]
