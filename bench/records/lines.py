"""From a record to its line in a CSV file, and back: numbers become text here and nowhere else."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any

from bench.records.schema import (
    CELL_KEY,
    Cell,
    CellName,
    Compile,
    Record,
    Round,
    fields_of,
    record_of,
    values_of,
)
from kernels.api import Case

__all__ = ["Key", "as_row", "columns", "key_of", "parsed", "records_in", "text_of"]

Key = tuple[str, ...]
"""A cell's name as text: equal where the files have the same, a NaN slope too."""


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


def columns(kind: type[Record]) -> list[str]:
    """The header of the file of such records."""
    return [field.name for field in fields_of(kind)]


def text_of(records: Iterable[Cell | Round | Compile]) -> str:
    """The lines of `records`, without a header."""
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows(as_row(record).values() for record in records)
    return text.getvalue()


def records_in(kind: type[Record], text: str, case: Case | None = None) -> Iterator[Record]:
    """The records that `text_of` wrote, of that case where it is known.  Raises ValueError."""
    for fields in csv.reader(io.StringIO(text, newline="")):
        yield parsed(kind, fields, case)


_PARSERS: Mapping[str, Callable[[str], Any]] = {"str": str, "int": int, "float": float}


def parsed(kind: type[Record], fields: Sequence[str], case: Case | None = None) -> Record:
    """The record of a line's fields, of that case where it is known.  Raises ValueError, which says what is wrong."""
    known = fields_of(kind)
    if len(fields) != len(known):
        raise ValueError(f"{len(fields)} fields where the header has {len(known)}")
    values = {}
    for field, text in zip(known, fields, strict=True):
        words = str(field.type).split()
        try:
            values[field.name] = None if "None" in words and not text else _PARSERS[words[0]](text)
        except ValueError as error:
            raise ValueError(f"column {field.name}: {error}") from error
    return record_of(kind, values, case)
