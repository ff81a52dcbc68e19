"""Reads cells.csv and rounds.csv, ours or anyone's with the same columns, and checks every row and what is read of it.

Files of former schemas are read, too, also beside newer ones.  What their schema does not have is filled in: empty,
or the value that was the only one then.
"""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Collection, Iterable, Iterator, Sequence
from pathlib import Path
from typing import BinaryIO

import numpy as np
import pandas as pd

from bench.records.columns import FORMER_WORDS, Column, columns_of, quoted, schema_problem
from bench.records.grouping import group_ids, last_of_each
from bench.records.parsing import DoubtError, Form, ReadError, parse, parse_exactly, text_dtype
from bench.records.parts import occurrences, parts
from bench.records.schema import CELL_KEY, SCHEMA, Cell, Round, fields_of, since
from bench.records.stacking import Stack
from bench.text.hints import did_you_mean
from kernels.api import OPS
from kernels.networks.case import SLOPED_OPS
from kernels.op_facts import whole_params

__all__ = ["ReadError", "read_cells", "read_rounds"]

_CELL_NAME = ("machine", *CELL_KEY)
"""What names a cell in files of several machines: their runs may have one id."""
_ALWAYS = ("schema", "status")
"""What is looked at in every row of cells.csv, whatever is kept: what the others mean depends on it."""
_LONGEST_LINE = 1 << 20
"""Bytes that are looked through for a header: enough for any, and no more of a file that has no lines."""
_PART = 1 << 22
"""Bytes of a doubtful file that are parsed at a time: large enough for the parser's speed, small enough to read them
again."""
_MORE_ROWS = 1.05
"""Room for so many times the rows that the first part lets expect: what is not written to takes no memory."""


def read_cells(
    paths: Iterable[Path], columns: Sequence[str] | None = None, *, sourced: bool = False
) -> pd.DataFrame:
    """The cells of one or several cells.csv, checked, each cell once (of a repeated one the last row).

    Columns of text are categories ("" where empty; the axes' in the order of `kernels.api`), but
    started_utc, reason and special_values, which are strings; counts that every row has are int64,
    all other numbers float64 (NaN where empty).  The slope of an op that has none is 0.0, parameters of which nothing
    is said are the usual ones of the op.  `columns` keeps those only (CELL_KEY and machine always); of the others
    schema and status alone are looked at, and that the header has them and each row a field.  Columns that the schema
    does not know are ignored.  `sourced`: with ``file``, the place of each row's file in `paths`.

    Raises ReadError for the first thing that is wrong.
    """
    kept = [rule for rule in columns_of(Cell) if columns is None or rule.name in {*columns, *_CELL_NAME}]
    frame = _with_usual_params(_stacked(paths, Cell, kept, sourced=sourced))
    frame.loc[~frame["op"].isin(SLOPED_OPS), "negative_slope"] = 0.0
    last = last_of_each(group_ids(frame, _CELL_NAME))
    return frame if last.all() else frame[last].reset_index(drop=True)


def read_rounds(paths: Iterable[Path], columns: Sequence[str] | None = None) -> pd.DataFrame:
    """The rounds of one or several rounds.csv, with dtypes, errors and `columns` as in `read_cells`."""
    kept = [rule for rule in columns_of(Round) if columns is None or rule.name in {*columns, *CELL_KEY}]
    return _with_usual_params(_stacked(paths, Round, kept))


def _with_usual_params(frame: pd.DataFrame) -> pd.DataFrame:
    """Where nothing is said of an op's parameters, as in files of former schemas, they are the usual ones."""
    for op, usual in ((op, whole_params(op, "")) for op in OPS):
        rows = ((frame["op"] == op) & (frame["params"] == "")) if usual else None
        if rows is not None and rows.any():
            texts = sorted({*frame["params"].cat.categories, usual})
            frame["params"] = frame["params"].cat.set_categories(texts, ordered=True).where(~rows, usual)
    return frame


def _stacked(
    paths: Iterable[Path], row: type[Cell] | type[Round], kept: Sequence[Column], *, sourced: bool = False
) -> pd.DataFrame:
    """The columns `kept` of all files together."""
    every = [Path(path) for path in paths]
    try:
        return _put_together(every, row, kept, sourced=sourced, exactly=False)
    except DoubtError:
        return _put_together(every, row, kept, sourced=sourced, exactly=True)


def _put_together(
    paths: Sequence[Path],
    row: type[Cell] | type[Round],
    kept: Sequence[Column],
    *,
    sourced: bool,
    exactly: bool,
) -> pd.DataFrame:
    stacks: dict[str, Stack] = {}
    rows = np.zeros(len(paths), np.int64)
    for place, path in enumerate(paths):
        for frame, size in _read(path, row, kept, exactly=exactly):
            rows[place] += len(frame)
            if not stacks:
                expected = _MORE_ROWS * len(frame) / size * sum(map(_size, paths))
                stacks = {rule.name: Stack(rule, int(expected)) for rule in kept}
            for rule in kept:
                stacks[rule.name].add(_column(frame, rule))
    columns = {name: stacks.pop(name).column() for name in list(stacks)}
    if sourced:
        columns["file"] = pd.Series(np.repeat(np.arange(len(paths), dtype=np.int32), rows), copy=False)
    return pd.DataFrame(columns, copy=False)


def _size(path: Path) -> int:
    """Bytes of a file; 0 for one that there is not, which reading it tells."""
    return path.stat().st_size if path.is_file() else 0


def _read(
    path: Path, row: type[Cell] | type[Round], kept: Sequence[Column], *, exactly: bool
) -> Iterator[tuple[pd.DataFrame, int]]:
    """The rows of a file, which is not empty, some at a time with their bytes: columns `kept`, and those of `_ALWAYS`.

    Raises DoubtError unless `exactly`: whatever may be wrong.
    """
    names = {*(rule.name for rule in kept), *_ALWAYS}
    try:
        if not path.is_file():
            raise ReadError(f"{path}: no such file; name a run's directory, or its cells.csv")
        with path.open("rb") as file:
            header, schema = _head(path, file, row)
            rules = columns_of(row, schema)
            form = Form(header, [rule for rule in rules if rule.name in names], schema)
            if exactly:
                yield from _exactly(path, file, form, {rule.name for rule in rules})
            else:
                yield from parse(file, form)
    except OSError as error:
        raise ReadError(f"{path}: cannot be read: {error.strerror or error}") from error


def _exactly(
    path: Path, file: BinaryIO, form: Form, known: Collection[str]
) -> Iterator[tuple[pd.DataFrame, int]]:
    """The rows of a file of which some may be wrong, part by part; of the header's columns some are `known`."""
    found, number = False, 2
    for part in parts(file, _PART):
        try:
            frames = [frame for frame, _ in parse(io.BytesIO(part), form)]
        except DoubtError:
            frames = [parse_exactly(path, number, part, form)]
        for frame in filter(len, frames):
            found = True
            yield frame, len(part)
        number += occurrences("\n", part)
        if form.header[-1] in known:
            _check_end(path, number, part, form.header[-1])
    if not found:
        problem = "is missing: no row follows the header; measure first"
        raise ReadError.at(path, 2, form.columns[0].name, problem)


def _check_end(path: Path, number: int, part: bytes, last: str) -> None:
    """A part without a line's end has the file's last row, at line `number`, whose last field may have been longer."""
    if not part.endswith((b"\n", b"\r", b",", b'"')) and part.strip():
        problem = "may be cut off: no line's end follows; add one if it is whole"
        raise ReadError.at(path, number, last, problem)


def _column(frame: pd.DataFrame, rule: Column) -> pd.Series:
    """The column as the newest schema has it: filled in where the file lacks it, with the words of today."""
    if rule.name not in frame:
        usual = math.nan if rule.usual is None else rule.usual
        return pd.Series(usual, frame.index, text_dtype(rule) if rule.kind == "text" else None)
    column, former = frame[rule.name], FORMER_WORDS.get(rule.name)
    return column.cat.rename_categories(dict(former)) if former else column


def _head(path: Path, file: BinaryIO, row: type[Cell] | type[Round]) -> tuple[list[str], int]:
    """The header and the file's schema, when both are ours; `file` is left after the header."""
    line, first = file.readline(_LONGEST_LINE), fields_of(row)[0].name
    if not line.strip():
        raise ReadError.at(path, 1, first, "is missing: the file is empty; a header belongs here")
    if b"\0" in line:
        raise ReadError.at(path, 1, first, "is missing: a binary file; give it the CSV file")
    try:
        header = next(csv.reader([_text(line)]))
    except csv.Error as error:
        raise ReadError.at(path, 1, first, f"is missing: not a CSV file ({error})") from error
    schema = _schema(header, file, row)
    if schema > SCHEMA:
        raise ReadError.at(path, 2, "schema", schema_problem(schema, SCHEMA))
    _check_header(path, header, columns_of(row, schema))
    file.seek(len(line))
    return header, schema


def _schema(header: Sequence[str], file: BinaryIO, row: type[Cell] | type[Round]) -> int:
    """The schema that the first row tells; where none does, the newest that any column of the header is of."""
    rows = csv.reader(map(_text, iter(lambda: file.readline(_LONGEST_LINE), b"")))
    told = 0.0
    if row is Cell:  # rounds do not tell
        try:
            fields = next((fields for fields in rows if "".join(fields).strip()), [])
            told = float(dict(zip(header, fields, strict=False)).get("schema", ""))
        except (ValueError, csv.Error):
            pass  # no number, or no row: the mistake is found, and named, when the rows are read
    if told >= 1 and told.is_integer():
        return int(told)
    return max((since(field) for field in fields_of(row) if field.name in header), default=SCHEMA)


def _text(line: bytes) -> str:
    return line.decode("utf-8-sig", "surrogateescape")


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
