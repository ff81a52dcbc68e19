"""Reads cells.csv and rounds.csv, ours or anyone's with the same columns, and checks every value."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import BinaryIO

import pandas as pd
from pandas.api.types import union_categoricals

from bench.records.columns import Column, columns_of, quoted, schema_problem
from bench.records.parsing import ReadError, occurrences, parse, parse_exactly
from bench.records.schema import CELL_KEY, SCHEMA, Cell, Round
from bench.text.hints import did_you_mean

__all__ = ["ReadError", "read_cells", "read_rounds"]

_LONGEST_LINE = 1 << 20
"""Bytes that are looked through for a header: enough for any, and no more of a file that has no lines."""
_PART = 1 << 24
"""Bytes that are parsed at a time: large enough for the parser's speed, small enough to read them again."""


def read_cells(paths: Iterable[Path], columns: Sequence[str] | None = None) -> pd.DataFrame:
    """The cells of one or several cells.csv, checked, each cell once (of a repeated one the last row).

    Columns of text are categories ("" where empty; the axes' in the order of `kernels.api`), but
    started_utc, reason and special_values, which are strings; counts that every row has are int64,
    all other numbers float64 (NaN where empty).  The slope of relu is 0.0.  `columns` keeps those
    only (CELL_KEY always); the others are checked all the same, but for free text.  Columns that the schema does not
    know are ignored.

    Raises ReadError for the first thing that is wrong.
    """
    rules = columns_of(Cell)
    kept = [rule for rule in rules if columns is None or rule.name in {*columns, *CELL_KEY}]
    frame = _stack([part for path in paths for part in _read(Path(path), rules, kept)], kept)
    frame.loc[frame["op"] == "relu", "negative_slope"] = 0.0
    repeated = frame.duplicated(list(CELL_KEY), keep="last")
    return frame[~repeated].reset_index(drop=True) if repeated.any() else frame


def read_rounds(paths: Iterable[Path]) -> pd.DataFrame:
    """The rounds of one or several rounds.csv, with dtypes and errors as in `read_cells`."""
    rules = columns_of(Round)
    return _stack([part for path in paths for part in _read(Path(path), rules, rules)], rules)


_Part = dict[str, pd.Series]


def _read(path: Path, rules: Sequence[Column], kept: Sequence[Column]) -> list[_Part]:
    """The columns `kept` of each part of a file that is not empty; the rest of `rules` are checked, too."""
    checked = [rule for rule in rules if rule in kept or not rule.free]
    try:
        if not path.is_file():
            raise ReadError(f"{path}: no such file; name a run's directory, or its cells.csv")
        with path.open("rb") as file:
            header = _head(path, file, rules)
            found, number = list[_Part](), 2
            for part in _parts(file):
                frame = parse(part, header, checked)
                if frame is None:
                    frame = parse_exactly(path, number, part, header, checked)
                if len(frame):
                    found.append({rule.name: frame[rule.name] for rule in kept})
                number += occurrences("\n", part)
    except OSError as error:
        raise ReadError(f"{path}: cannot be read: {error.strerror or error}") from error
    if not found:
        raise ReadError.at(path, 2, rules[0].name, "is missing: no row follows the header; measure first")
    return found


def _parts(file: BinaryIO) -> Iterator[bytes]:
    """The rest of `file` in parts that end with a row, as far as the quotes tell."""
    rest = b""
    while chunk := file.read(_PART):
        data = rest + chunk
        cut = data.rfind(b"\n") + 1
        inside = data.count(b'"', 0, cut) % 2
        while inside and cut:
            end, cut = cut, data.rfind(b"\n", 0, cut - 1) + 1
            inside ^= data.count(b'"', cut, end) % 2
        yield data[:cut]
        rest = data[cut:]
    yield rest


def _head(path: Path, file: BinaryIO, rules: Sequence[Column]) -> list[str]:
    """The header, when it and the schema in the first row are ours; `file` is left after it."""
    lines = file.readline(_LONGEST_LINE), file.readline(_LONGEST_LINE)
    if not lines[0].strip():
        raise ReadError.at(path, 1, rules[0].name, "is missing: the file is empty; a header belongs here")
    if b"\0" in lines[0]:
        raise ReadError.at(path, 1, rules[0].name, "is missing: a binary file; give it the CSV file")
    try:
        header, first = (_fields(line) for line in lines)
    except csv.Error as error:
        raise ReadError.at(path, 1, rules[0].name, f"is missing: not a CSV file ({error})") from error
    schema = dict(zip(header, first, strict=False)).get("schema", "")
    if schema.isdecimal() and int(schema) > SCHEMA:
        raise ReadError.at(path, 2, "schema", schema_problem(int(schema)))
    _check_header(path, header, rules)
    file.seek(len(lines[0]))
    return header


def _fields(line: bytes) -> list[str]:
    return next(csv.reader([line.decode("utf-8-sig", "surrogateescape")]), [])


def _check_header(path: Path, header: Sequence[str], rules: Sequence[Column]) -> None:
    """Raise ReadError unless every column of `rules` stands in `header` exactly once."""
    names = [rule.name for rule in rules]
    missing = [name for name in names if name not in header]
    if len(missing) == len(names):
        hint = _other_separator(header) or f"found: {', '.join(map(quoted, header[:4]))}"
        raise ReadError.at(path, 1, names[0], f"is missing, as every other column: not such a file ({hint})")
    if missing:
        others = f"; missing too: {', '.join(missing[1:])}" if missing[1:] else ""
        unknown = [name for name in header if name not in names]
        raise ReadError.at(
            path, 1, missing[0], f"is not in the header{did_you_mean(missing[0], unknown)}{others}"
        )
    for name in names:
        if header.count(name) > 1:
            raise ReadError.at(path, 1, name, "stands in the header more than once; keep one")


def _other_separator(header: Sequence[str]) -> str:
    for separator, name in ((";", "semicolons"), ("\t", "tabs"), ("|", "bars")):
        if len(header) == 1 and header[0].count(separator) > 5:
            return f"separated by {name}; commas belong there"
    return ""


def _stack(parts: Sequence[_Part], kept: Sequence[Column]) -> pd.DataFrame:
    """The rows of all of `parts`; categories in their order, counts that every row has as whole numbers."""
    stacked = {}
    for rule in kept:
        columns = [part.pop(rule.name) for part in parts]
        if columns[0].dtype == "category":
            union = union_categoricals(columns)
            others = sorted(set(union.categories).difference(rule.choices))
            column = pd.Series(union.set_categories([*rule.choices, *others], ordered=True))
        else:
            column = pd.concat(columns, ignore_index=True)
        if rule.kind != "text":
            column = column.astype("int64" if rule.kind == "count" and rule.required else "float64")
        stacked[rule.name] = column
    return pd.DataFrame(stacked, copy=False)
