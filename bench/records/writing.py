"""The files of a run: cells.csv, rounds.csv, compiles.csv, environment.json.

Rows are appended when an experiment ends and are on the disk before the next begins, so a run that dies keeps what
it had.  An experiment's rows are written in one piece.  If the machine goes down in the middle of it, the last
line is torn; it is cut off when the run goes on.
"""

from __future__ import annotations

import codecs
import csv
import io
import json
import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from bench.records.schema import (
    CELL_COLUMNS,
    CELL_KEY,
    COMPILE_COLUMNS,
    ROUND_COLUMNS,
    SCHEMA,
    Cell,
    CellName,
    Compile,
    Record,
    Round,
    fields_of,
    record_of,
    since,
    values_of,
)

__all__ = ["Key", "RunFiles", "RunFilesError", "as_row", "key_of"]

Key = tuple[str, ...]
"""A cell's name as text: equal where the files have the same, a NaN slope too."""


class RunFilesError(ValueError):
    """A run's files cannot be gone on with; one line that names the file and what to do."""

    @classmethod
    def unwritable(cls, folder: Path, error: OSError) -> RunFilesError:
        """The folder takes no files."""
        return cls(f"cannot write to {folder}: {error.strerror}; choose another --results DIR")


def _text(value: Any) -> str:
    if value is None:
        return ""
    return repr(value) if isinstance(value, float) else str(value)


def key_of(record: CellName | Cell | Mapping[str, str]) -> Key:
    """What names a cell (or a cell's rounds), of a record or of a row of a file."""
    row = record if isinstance(record, Mapping) else as_row(record)
    return tuple(row[column] for column in CELL_KEY)


def as_row(record: CellName | Cell) -> dict[str, str]:
    """The fields as they stand in a file: floats with all their digits, nothing for None."""
    return {name: _text(value) for name, value in values_of(record).items()}


_PARSERS: Mapping[str, Callable[[str], Any]] = {"str": str, "int": int, "float": float}


def _parser(words: Sequence[str]) -> Callable[[str], Any]:
    """Of a field's type: ``str``, ``int``, or ``float | None``."""
    parse = _PARSERS[words[0]]
    return (lambda text: parse(text) if text else None) if "None" in words else parse


def _is_older(header: str) -> bool:
    """Whether it is that of a file of a former schema."""
    former = [
        [field.name for field in fields_of(kind) if since(field) <= schema]
        for kind in (Cell, Round, Compile)
        for schema in range(1, SCHEMA)
    ]
    return header.split(",") in former


class RunFiles:
    """``results/<run_id>/`` for writing; reads back what a run of the same name had written."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.cells_path = folder / "cells.csv"
        self.rounds_path = folder / "rounds.csv"
        self.compiles_path = folder / "compiles.csv"
        self._columns = {
            self.rounds_path: ROUND_COLUMNS,
            self.compiles_path: COMPILE_COLUMNS,
            self.cells_path: CELL_COLUMNS,
        }
        self.environment_path = folder / "environment.json"

    def open(self) -> list[Cell]:
        """Make the folder and the headers where they are missing; the rows of cells.csv so far."""
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            for path, header in self._columns.items():
                self._repair(path, header)
        except OSError as error:
            raise RunFilesError.unwritable(self.folder, error) from None
        return _records(self.cells_path, Cell)

    def _repair(self, path: Path, header: Sequence[str]) -> None:
        found = path.read_bytes() if path.exists() else b""
        data = found.removeprefix(codecs.BOM_UTF8)  # spreadsheets begin with it
        whole = data[: data.rfind(b"\n") + 1]
        if not whole:
            _replace(path, ",".join(header) + "\n")
            return
        first = whole.split(b"\n", 1)[0].decode(errors="replace").strip()
        if first != ",".join(header):
            written = "was written by an older version" if _is_older(first) else "has other columns"
            raise RunFilesError(f"{path} {written}: this one writes schema {SCHEMA}; choose another --run-id")
        if whole != found:
            _replace(path, whole.decode())

    def rounds(self) -> dict[Key, list[Round]]:
        """The rows of rounds.csv so far, by cell."""
        found: dict[Key, list[Round]] = {}
        for record in _records(self.rounds_path, Round):
            found.setdefault(key_of(record), []).append(record)
        return found

    def append(
        self, cells: Iterable[Cell], rounds: Iterable[Round], compiles: Iterable[Compile] = ()
    ) -> None:
        """Write one experiment; the cells last, so that a cell that stands there has its rounds."""
        for path, records in (
            (self.rounds_path, rounds),
            (self.compiles_path, compiles),
            (self.cells_path, cells),
        ):
            text = io.StringIO()
            writer = csv.DictWriter(text, self._columns[path], lineterminator="\n")
            writer.writerows(as_row(record) for record in records)
            if not text.getvalue():
                continue
            with path.open("a", encoding="utf-8", newline="") as file:
                file.write(text.getvalue())
                file.flush()
                os.fsync(file.fileno())

    def drop(self, unwanted: Callable[[Key], bool]) -> None:
        """Take out the rows of cells that are measured again."""
        for path, columns in self._columns.items():
            rows = _rows(path)
            kept = [row for row in rows if not unwanted(_key_as_written(row))]
            if len(kept) < len(rows):
                text = io.StringIO()
                writer = csv.DictWriter(text, columns, lineterminator="\n")
                writer.writeheader()
                writer.writerows(kept)
                _replace(path, text.getvalue())

    def write_environment(self, environment: Mapping[str, Any]) -> None:
        """Write environment.json."""
        _replace(self.environment_path, json.dumps(environment, indent=1, sort_keys=True) + "\n")

    def environment(self) -> dict[str, Any] | None:
        """environment.json as it stands, or None."""
        try:
            value = json.loads(self.environment_path.read_text(encoding="utf-8"))
        except FileNotFoundError:
            return None
        except ValueError as error:
            raise RunFilesError(
                f"{self.environment_path} is not JSON ({error}); choose another --run-id"
            ) from None
        return dict(value)


def _records(path: Path, kind: type[Record]) -> list[Record]:
    """What `RunFiles.append` wrote there."""
    parsers = {field.name: _parser(str(field.type).split()) for field in fields_of(kind)}
    records = []
    for number, row in enumerate(_rows(path), start=2):
        try:
            records.append(record_of(kind, {name: parse(row[name]) for name, parse in parsers.items()}))
        except ValueError as error:
            raise RunFilesError(f"{path}: line {number}: {error}; choose another --run-id") from error
    return records


def _key_as_written(row: Mapping[str, str]) -> Key:
    """The key of a row as this module would have written it: a spreadsheet makes 0 of 0.0."""
    parsers = {field.name: _parser(str(field.type).split()) for field in fields_of(CellName)}
    return tuple(_text(parsers[column](row[column])) for column in CELL_KEY)


def _rows(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    for number, row in enumerate(rows, start=2):
        if None in row or None in row.values():
            raise RunFilesError(
                f"{path}: line {number} has not as many fields as the header; choose another --run-id"
            )
    return rows


def _replace(path: Path, text: str) -> None:
    """Write all or nothing."""
    draft = path.with_name(path.name + ".part")
    with draft.open("w", encoding="utf-8", newline="") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    draft.replace(path)
