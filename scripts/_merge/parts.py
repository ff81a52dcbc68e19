"""The parts of a run, read whole: cells with their rounds and compiles, and where they were measured."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from bench.records.adopting import adopt
from bench.records.errors import RunFilesError
from bench.records.find_runs import has_rows
from bench.records.lines import Key, as_row, key_of
from bench.records.reading import ReadError, read_cells, read_rounds
from bench.records.schema import Cell, Compile, Round
from scripts._shared.cli import UsageError
from scripts._shared.environments import differences, read_environment
from scripts._shared.remarks import clean

__all__ = ["Part", "Whole", "joined", "merged_environment", "read_part"]

_OF_A_SHARD = frozenset({"run_id", "shard", "started_utc"})
"""What may differ where the same cell comes twice: it is the same by what was measured."""


@dataclass(frozen=True, slots=True)
class Whole:
    """A cell and what belongs to it."""

    cell: Cell
    rounds: Sequence[Round]
    compiles: Sequence[Compile]


@dataclass(frozen=True, slots=True)
class Part:
    """One run directory."""

    path: Path
    cells: Mapping[Key, Whole]
    """By name, without the run's."""
    environment: Mapping[str, Any]


def read_part(cells_csv: Path) -> Part:
    """The run beside that cells.csv.  Raises UsageError for one that is damaged, or says not where it was measured."""
    folder = cells_csv.parent
    try:
        read_cells([cells_csv])
        if has_rows(folder / "rounds.csv"):
            read_rounds([folder / "rounds.csv"])
    except ReadError as error:
        raise UsageError(str(error)) from error
    environment = read_environment(cells_csv)
    if environment is None:
        raise UsageError(f"{folder}: no environment.json; without it nothing says what it ran on")
    try:
        adopted = adopt(cells_csv, folder / "rounds.csv", folder / "compiles.csv")
    except RunFilesError as error:
        raise UsageError(f"{str(error).partition(';')[0]}; nothing was written") from error
    for sentence in adopted.damaged.values():
        raise UsageError(f"{clean(sentence)}; mend or leave out that run: nothing was written")
    cells = {key_of(cell)[1:]: Whole(cell, rounds, compiles) for cell, rounds, compiles in adopted.cells}
    return Part(folder, cells, environment)


def joined(parts: Sequence[Part], run_id: str) -> tuple[dict[Key, Whole], int]:
    """All cells under one run id, and how many came twice.

    Raises UsageError where two parts are of unlike conditions, or have different figures for one cell.
    """
    for part in parts[1:]:
        unlike = differences(parts[0].environment, part.environment)
        if unlike:
            names = f"{parts[0].path} (OLD) and {part.path} (NEW)"
            raise UsageError(
                f"{names} do not belong together: {unlike[0]}; compare them instead: scripts/compare.py"
            )
    found: dict[Key, Whole] = {}
    origin: dict[Key, Part] = {}
    twice = 0
    for part in parts:
        for key, whole in part.cells.items():
            if key in found:
                _check_same(found[key], whole, origin[key].path, part.path)
                twice += 1
            else:
                found[key], origin[key] = whole, part
    return {key: _renamed(whole, run_id) for key, whole in found.items()}, twice


def merged_environment(parts: Sequence[Part]) -> dict[str, Any]:
    """The first part's, with what the others were asked for, so that a reader sees all of it."""
    first = dict(parts[0].environment)
    sittings = [each for part in parts for each in _listed(part.environment.get("sittings"))]
    sources = [
        {"run": part.path.name, "options": part.environment.get("options"), "cells": len(part.cells)}
        for part in parts
    ]
    return first | {"sittings": sittings, "merged_from": sources}


def _listed(value: object) -> list[Any]:
    return value if isinstance(value, list) else []


def _check_same(one: Whole, other: Whole, here: Path, there: Path) -> None:
    rows = [{k: v for k, v in as_row(whole.cell).items() if k not in _OF_A_SHARD} for whole in (one, other)]
    if rows[0] != rows[1]:
        name = ", ".join(filter(None, key_of(one.cell)[1:8]))
        raise UsageError(
            f"{here} and {there} have different figures for the cell {clean(name)}; leave one of the two runs out"
        )


def _renamed(whole: Whole, run_id: str) -> Whole:
    return Whole(
        replace(whole.cell, run_id=run_id),
        [replace(each, run_id=run_id) for each in whole.rounds],
        [replace(each, run_id=run_id) for each in whole.compiles],
    )
