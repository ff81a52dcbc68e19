"""What a script has measured, kept in a folder: CSV files, and an environment.json that says where and with what."""

from __future__ import annotations

import csv
import dataclasses
import io
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar, get_type_hints

from bench.machine.environment import describe
from bench.records import durable

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

__all__ = [
    "ENVIRONMENT",
    "StoredError",
    "described",
    "read_texts",
    "rows_from",
    "rows_text",
    "write_files",
    "write_text",
]

ENVIRONMENT = "environment.json"
_FROM_TEXT: Mapping[Any, Callable[[str], Any]] = {str: str, int: int, float: float}
Row = TypeVar("Row", bound="DataclassInstance")


class StoredError(ValueError):
    """A folder that does not hold what was measured; one line that says what is wrong."""


def rows_text(kind: type[Row], rows: Iterable[Row]) -> str:
    """`rows` as CSV, a column for each field of `kind`; floats read back exactly."""
    file = io.StringIO()
    writer = csv.writer(file, lineterminator="\n")
    writer.writerow([field.name for field in dataclasses.fields(kind)])
    writer.writerows(dataclasses.astuple(row) for row in rows)
    return file.getvalue()


def rows_from(kind: type[Row], text: str) -> list[Row]:
    """What `rows_text` wrote; a field with a default may be missing, as in files of before it was there.

    `kind` has fields of str, int and float.  Raises KeyError or ValueError.
    """
    types = get_type_hints(kind)
    rows = csv.DictReader(io.StringIO(text), strict=True)
    there = rows.fieldnames or ()
    names = [
        each.name
        for each in dataclasses.fields(kind)
        if each.name in there or each.default is dataclasses.MISSING
    ]
    return [kind(**{name: _FROM_TEXT[types[name]](row[name] or "") for name in names}) for row in rows]


def described(options: Mapping[str, Any]) -> dict[str, Any]:
    """`describe`, of `options` those that are no paths."""
    return describe({name: value for name, value in options.items() if not isinstance(value, Path)})


def read_texts(folder: Path, names: Sequence[str], remedy: str) -> list[str]:
    """The texts of the files `names` in `folder`.  Raises StoredError, which ends with `remedy`."""
    try:
        return [(folder / name).read_text(encoding="utf-8") for name in names]
    except OSError as error:
        raise StoredError(f"{error.filename}: {error.strerror}; {remedy}") from error
    except UnicodeDecodeError as error:
        raise StoredError(f"{folder}: not UTF-8 text; {remedy}") from error


def write_files(folder: Path, texts: Mapping[str, str]) -> None:
    """Each text of `texts` under its name in `folder`, which is made if need be."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in texts.items():
        write_text(folder / name, text)


def write_text(path: Path, text: str) -> None:
    """All of it or nothing: whoever interrupts this keeps the old file.  Raises OSError."""
    if path.exists() and not path.is_file():  # a pipe, /dev/stderr
        path.write_text(text, encoding="utf-8", newline="")
    else:
        durable.replace(path, text.encode())
