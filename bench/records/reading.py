"""Reads cells.csv and rounds.csv, ours or anyone's with the same columns, and trusts nothing.

A file of a million rows is parsed and checked column by column (`bench.records.quick`); only where that
raises a doubt is a part of it read again row by row (`bench.records.blame`), to name the row and the column.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import numpy.typing as npt
import pandas as pd
from pandas.api.types import union_categoricals

from bench.records.blame import ReadError, check_header, explain
from bench.records.columns import Column, columns_of, schema_problem
from bench.records.quick import read_quickly
from bench.records.schema import CELL_KEY, SCHEMA, Cell, Round
from bench.stats.counted import ENOUGH, Timed

__all__ = ["ReadError", "counted_rounds", "group_ids", "read_cells", "read_rounds", "timed"]

_LONGEST_LINE = 1 << 20
_PART = 1 << 24  # bytes
_MOST_IDS = 1 << 62


def read_cells(paths: Iterable[Path], columns: Sequence[str] | None = None) -> pd.DataFrame:
    """The cells of one or several cells.csv, checked, each cell once (of a repeated one the last row).

    Columns of text are categories ("" where empty; the axes' in the order of `kernels.api`), but
    started_utc, reason and special_values, which are strings; counts that every row has are int64,
    all other numbers float64 (NaN where empty).  The slope of relu is 0.0.  `columns` keeps those
    only (CELL_KEY always); the others are checked all the same, but for started_utc and
    special_values.  Columns that the schema does not know are ignored.

    Raises ReadError for the first thing that is wrong.
    """
    frame = _stack([_read(Path(path), Cell, columns) for path in paths], columns_of(Cell))
    frame.loc[frame["op"] == "relu", "negative_slope"] = 0.0
    repeated = pd.Series(group_ids(frame, CELL_KEY)).duplicated(keep="last").to_numpy()
    return frame[~repeated].reset_index(drop=True) if repeated.any() else frame


def read_rounds(paths: Iterable[Path]) -> pd.DataFrame:
    """The rounds of one or several rounds.csv, with dtypes and errors as in `read_cells`."""
    return _stack([_read(Path(path), Round, None) for path in paths], columns_of(Round))


def counted_rounds(rounds: pd.DataFrame, arm: Sequence[str]) -> pd.DataFrame:
    """The rows of `rounds` that count (see `bench.stats.counted`); the columns `arm` name an arm of an experiment."""
    last = rounds.drop_duplicates([*arm, "round"], keep="last")
    clean = pd.Series(last["contended"] == 0, last.index)
    left = clean.groupby(group_ids(last, arm)).transform("sum")
    return last[clean | (left < ENOUGH)]


def timed(rounds: pd.DataFrame) -> list[Timed]:
    """The rounds of one arm, for `bench.stats.counted`."""
    contended = rounds["contended"] != 0
    return list(zip(rounds["round"].tolist(), rounds["seconds"].tolist(), contended.tolist(), strict=True))


def group_ids(frame: pd.DataFrame, columns: Sequence[str]) -> npt.NDArray[np.int64]:
    """A number from 0 up for each row, the same for rows that agree in `columns` (NaN equals NaN).

    The numbers are in the order of the groups: by the first column, then the second, and so on.
    """
    ids, size = np.zeros(len(frame), np.int64), 1
    for name in columns:
        codes, count = _codes(frame[name])
        if size * count > _MOST_IDS:
            ids, size = _dense(ids)
        ids, size = ids * count + codes, size * count
    return _dense(ids)[0]


def _codes(column: pd.Series) -> tuple[npt.NDArray[np.int64], int]:
    """Each value's place in the order of the column's values, and how many there are."""
    if column.dtype == "category":
        return np.asarray(column.cat.codes, np.int64), len(column.cat.categories)
    codes, uniques = pd.factorize(column, sort=True, use_na_sentinel=False)
    return np.asarray(codes, np.int64), len(uniques)


def _dense(ids: npt.NDArray[np.int64]) -> tuple[npt.NDArray[np.int64], int]:
    codes, uniques = pd.factorize(ids, sort=True)
    return np.asarray(codes, np.int64), max(1, len(uniques))


def _read(path: Path, row: type[Cell] | type[Round], columns: Sequence[str] | None) -> pd.DataFrame:
    rules = columns_of(row)
    try:
        if not path.is_file():
            raise ReadError(f"{path}: no such file; name a run's directory, or its cells.csv")
        with path.open("rb") as file:
            header = _head(path, file, rules)
            start = file.tell()
            frame, doubt = read_quickly(file, header, rules, columns)
            if doubt:
                file.seek(start)
                _locate(path, file, header, rules)
    except OSError as error:
        raise ReadError(f"{path}: cannot be read: {error.strerror or error}") from error
    if frame is None:
        raise ReadError(f"{path}: not to be read as CSV: {doubt}")
    if frame.empty:
        raise ReadError.at(path, 2, rules[0].name, "is missing: no row follows the header; measure first")
    return frame if columns is None else frame[[name for name in frame if name in {*columns, *CELL_KEY}]]


def _locate(path: Path, file: BinaryIO, header: Sequence[str], rules: Sequence[Column]) -> None:
    """Raise ReadError for the first row that breaks a rule; return if none does.

    Only the part of the file that is doubtful by itself is read row by row, which takes long.
    """
    number = 2
    for part in _parts(file):
        if read_quickly(io.BytesIO(part), header, rules, None)[1]:
            text = io.TextIOWrapper(io.BytesIO(part), encoding="utf-8", errors="surrogateescape", newline="")
            explain(path, number, text, header, rules)
        number += part.count(b"\n")


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
    check_header(path, header, rules)
    file.seek(len(lines[0]))
    return header


def _fields(line: bytes) -> list[str]:
    return next(csv.reader([line.decode("utf-8-sig", "surrogateescape")]), [])


def _stack(frames: Sequence[pd.DataFrame], rules: Sequence[Column]) -> pd.DataFrame:
    """The rows of all of `frames`; categories in their order, counts as whole numbers."""
    stacked: dict[str, Any] = {}
    for rule in rules:
        if rule.name not in frames[0]:
            continue
        parts = [frame.pop(rule.name) for frame in frames]
        column = parts[0]
        if column.dtype == "category":
            union = union_categoricals(parts)
            others = sorted(set(union.categories).difference(rule.choices))
            column = pd.Series(union.set_categories([*rule.choices, *others], ordered=True))
        elif len(parts) > 1:
            column = pd.concat(parts, ignore_index=True)
        stacked[rule.name] = column.astype("int64") if rule.kind == "count" and rule.required else column
    return pd.DataFrame(stacked, copy=False)
