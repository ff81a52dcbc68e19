"""The files of a run: journal.jsonl, and what is written from it, three CSV files and environment.json.

An experiment's cells, rounds and compiles are one entry of the journal, which is there as a whole or not at all.  So a
run that goes on asks one question: which cells are in the journal?  The other files are for people and scripts; they
are written anew when a run goes on.  So of an experiment the journal alone waits for the disk, and the CSV files do
once a sitting, at its end: a power cut before that may take their last rows, until the run goes on.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from bench.records import durable
from bench.records.adopting import adopt
from bench.records.columns import quoted
from bench.records.errors import RunFilesError
from bench.records.journal import Journal, Line
from bench.records.lines import Key, key_of, text_of
from bench.records.schema import (
    CELL_COLUMNS,
    CELL_KEY,
    COMPILE_COLUMNS,
    ROUND_COLUMNS,
    SCHEMA,
    Cell,
    Compile,
    Round,
)
from bench.records.stored import Part, Stored, StoredCells
from kernels.api import AXES

__all__ = ["RunFiles"]

_COLUMNS = {"rounds": ROUND_COLUMNS, "compiles": COMPILE_COLUMNS, "cells": CELL_COLUMNS}
"""The CSV files without their ending, each with its header; the cells last: one that is there has its rounds."""
_ARM = CELL_KEY.index(AXES[0])
"""How many parts of a cell's name come before those of its case."""
_HEADER: Mapping[str, Any] = {
    "schema": SCHEMA,
    "columns": {name: list(header) for name, header in _COLUMNS.items()},
}
"""The first entry of a journal; each later one has `environment`, or `cells`, the list of an experiment's `Part`s."""


class RunFiles:
    """``results/<run_id>/``.  `stored` are its cells, `warnings` sentences on what was damaged."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.cells_path, self.rounds_path = folder / "cells.csv", folder / "rounds.csv"
        self.environment_path = folder / "environment.json"
        self.warnings: list[str] = []
        self._journal = Journal(folder / "journal.jsonl")
        self._environment: dict[str, Any] | None = None
        self._behind = False
        """Whether the CSV files may lack what the journal has: an interrupt, or a full disk, came between."""
        self.stored = StoredCells(self._journal)

    def open(self) -> StoredCells:
        """Make the folder and the files where they are missing; the cells, now and later.  Raises RunFilesError."""
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            if not self._journal.begun:
                self._begin()
            self._read()
            self._write_csv_files()
            if self._environment is not None:
                self._write_environment_file(self._environment)
        except OSError as error:
            raise RunFilesError.unwritable(self.folder, error) from None
        return self.stored

    def append(
        self, cells: Sequence[Cell], rounds: Iterable[Round], compiles: Iterable[Compile] = ()
    ) -> None:
        """Write experiments; their cells take the place of those of the same name.  The journal is on the disk then.

        Raises RunFilesError: the experiment is not stored then, or, where its CSV files alone could not be written, is
        in them once that is possible.
        """
        self.catch_up()
        parts = _parts(cells, rounds, compiles)
        statuses = dict(zip((part["name"] for part in parts), (cell.status for cell in cells), strict=True))
        anew = not statuses.keys().isdisjoint(self.stored)
        experiments = list(_by_experiment(parts))
        self._behind = True
        try:
            places = self._store(*({"cells": each} for each in experiments))
        except RunFilesError:
            self._behind = False
            raise
        for place, each in zip(places, experiments, strict=True):
            self.stored.add(place, each, {part["name"]: statuses[part["name"]] for part in each})
        try:
            if anew:
                self._write_csv_files()
            else:
                for name in _COLUMNS:
                    text = "".join(part[name] for part in parts)
                    durable.append(self._csv(name), text.encode(), synced=False)
        except OSError as error:
            raise RunFilesError.not_stored(self.folder, error) from error
        self._behind = False

    def catch_up(self) -> None:
        """Have the CSV files hold what the journal does, where they may not.  Raises RunFilesError."""
        if not self._behind:
            return
        try:
            self._read()
            self._write_csv_files()
        except OSError as error:
            raise RunFilesError.not_stored(self.folder, error) from error
        self._behind = False

    def environment(self) -> dict[str, Any] | None:
        """What was written last of where the run ran, or None."""
        return self._environment

    def write_environment(self, environment: Mapping[str, Any]) -> None:
        """Write environment.json, at the end of a sitting, too; all files are on the disk then.

        Raises RunFilesError.
        """
        self._environment = dict(environment)
        self.catch_up()
        self._store({"environment": environment})
        try:
            for name in _COLUMNS:
                durable.sync(self._csv(name))
            self._write_environment_file(environment)
        except OSError as error:
            raise RunFilesError.not_stored(self.folder, error) from error

    def _store(self, *entries: Any) -> list[int]:
        try:
            return self._journal.append(*entries)
        except OSError as error:
            raise RunFilesError.not_stored(self._journal.path, error) from error

    def _csv(self, name: str) -> Path:
        return self.folder / f"{name}.csv"

    def _begin(self) -> None:
        """Make the journal, of the other files where they are there already."""
        environment = _environment_in(self.environment_path)
        adopted = adopt(self.cells_path, self.rounds_path, self._csv("compiles"))
        entries: list[Any] = [_HEADER] if environment is None else [_HEADER, {"environment": environment}]
        entries += [{"cells": _parts([cell], rounds, compiles)} for cell, rounds, compiles in adopted.cells]
        self._journal.create(entries)
        for path, sentence in adopted.damaged.items():
            kept = path.with_name(f"{path.name}.damaged")
            if path.exists():
                path.replace(kept)
            self.warnings.append(
                f"{sentence}: what is not whole is measured again; the file is kept as {kept.name}"
            )

    def _read(self) -> None:
        """See which cells are in the journal.  Lines that are damaged are taken out of it."""
        self.stored = StoredCells(self._journal)
        damaged = list[int]()
        for line in self._journal.lines():
            if line.number == 1:
                self._check_header(line)
            elif line.entry is None:
                damaged.append(line.number)
            else:
                self._see(line)
        if not damaged:
            return
        numbers = ", ".join(map(str, damaged))
        self.warnings.append(
            f"{self._journal.path}: damaged in line {numbers}: what stood there is measured again"
        )
        self._journal.create(line.entry for line in self._journal.lines() if line.entry is not None)
        self._read()

    def _check_header(self, line: Line) -> None:
        if line.entry is None:
            raise RunFilesError(
                f"{self._journal.path} is damaged in its first line; delete it to go on with the CSV files beside it, "
                "or choose another --run-id"
            )
        if line.entry != _HEADER:
            raise RunFilesError(
                f"{self._journal.path} was written by another version: this one writes schema {SCHEMA}; "
                "choose another --run-id"
            )

    def _see(self, line: Line) -> None:
        """Check the cells that a line tells of, which count from now on."""
        environment = line.entry.get("environment", self._environment)
        self._environment = environment if isinstance(environment, dict) else self._environment
        try:
            parts = list(line.entry.get("cells", ()))
            statuses = {tuple(part["name"]): sys.intern(Stored.of(part).cell.status) for part in parts}
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            what = error if isinstance(error, ValueError) else f"no entry of a run ({error})"
            raise RunFilesError(
                f"{self._journal.path}: line {line.number}: {what}; choose another --run-id"
            ) from error
        self.stored.add(line.start, parts, statuses)

    def _write_csv_files(self) -> None:
        for name in _COLUMNS:
            durable.replace(self._csv(name), self._pieces(name))

    def _pieces(self, name: str) -> Iterator[bytes]:
        """The text of a CSV file: what counts in the journal."""
        yield (",".join(_COLUMNS[name]) + "\n").encode()
        for line in self._journal.lines():
            for part in line.entry.get("cells", ()):
                if self.stored.counts(part, line.start):
                    yield part[name].encode()

    def _write_environment_file(self, environment: Mapping[str, Any]) -> None:
        text = json.dumps(environment, indent=1, sort_keys=True) + "\n"
        durable.replace(self.environment_path, text.encode())


def _parts(cells: Iterable[Cell], rounds: Iterable[Round], compiles: Iterable[Compile]) -> list[Part]:
    found: dict[Key, dict[str, list[Any]]] = {}
    for name, records in (("cells", cells), ("rounds", rounds), ("compiles", compiles)):
        for record in records:
            found.setdefault(key_of(record), {}).setdefault(name, []).append(record)
    return [
        {"name": key, **{name: text_of(kinds.get(name, ())) for name in _COLUMNS}}
        for key, kinds in found.items()
    ]


def _by_experiment(parts: Iterable[Part]) -> Iterable[list[Part]]:
    """The parts of each experiment: names that differ in the arm alone."""
    found: dict[Key, list[Part]] = {}
    for part in parts:
        found.setdefault(part["name"][_ARM:], []).append(part)
    return found.values()


def _environment_in(path: Path) -> dict[str, Any] | None:
    """What the file of a run without a journal says.  Raises RunFilesError."""
    try:
        value = json.loads(durable.read(path))
    except FileNotFoundError:
        return None
    except OSError as error:
        problem = f"cannot be read: {error.strerror}"
    except (ValueError, RecursionError) as error:
        problem = f"is not JSON ({error})"
    else:
        if isinstance(value, dict):
            return value
        problem = f"holds no JSON object, but {quoted(json.dumps(value))}"
    raise RunFilesError(f"{path} {problem}; restore it, or choose another --run-id")
