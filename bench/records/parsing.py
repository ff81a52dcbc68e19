"""From rows of a CSV file to checked columns: quickly, and exactly where that cannot tell.

`parse` takes rows only if all of them are right.  `parse_exactly` takes a part that may be wrong: it names the first
mistake, or finds that there is none.  Both judge by the rules of `bench.records.columns`.
"""

from __future__ import annotations

import csv
import io
import math
import re
import warnings
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import BinaryIO, Literal, NamedTuple

import numpy as np
import pandas as pd

from bench.records.columns import NULLS, Broken, Column, quoted
from bench.records.parts import Counted
from bench.records.together import broken_cells

__all__ = ["DoubtError", "Form", "ReadError", "parse", "parse_exactly", "text_dtype"]

_ROWS = 1 << 16
"""Rows that are parsed at a time: enough that what each column costs anew is little, few enough for what they take."""
_MAY_BE_NUMBERS = ("run_id", "machine")
"""Columns of few texts of which all may be numbers."""
_NOT_UTF8 = re.compile("[\udc80-\udcff]")


class Form(NamedTuple):
    """What the rows of one file have: the names in its header, the columns that are wanted of them, and its schema."""

    header: Sequence[str]
    columns: Sequence[Column]
    schema: int


class DoubtError(Exception):
    """The quick way of reading cannot tell whether all is right."""


class ReadError(ValueError):
    """A file that cannot be read as what it should be; one line: file, row, column, what to do."""

    @classmethod
    def at(cls, path: Path, row: int, column: str, problem: str) -> ReadError:
        """The error at a row (the 1-based number of its line in the file) and a column."""
        return cls(f"{path}: row {row}, column {column}: {problem}")


def parse(file: BinaryIO, form: Form) -> Iterator[tuple[pd.DataFrame, int]]:
    """The wanted columns of the rows that follow in `file`, some rows at a time, each time with their bytes.

    Columns of text are categories ("" where empty) or, of free text, strings; all others hold integers, or
    floats with NaN where one is empty.  Raises DoubtError where something may be wrong, be it at the end: then the
    rows that were had may be wrong, too.
    """
    counted, rows, size = Counted(file), 0, 0
    for frame in _by_pandas(counted, form):
        columns = {str(name): column for name, column in frame.items()}
        if not all(_is_read(columns[rule.name], rule) for rule in form.columns) or _first_broken(
            columns, form
        ):
            raise DoubtError
        yield frame, counted.size - size
        rows, size = rows + len(frame), counted.size
    if counted.doubtful or counted.commas != rows * (len(form.header) - 1):
        raise DoubtError  # a quote out of place, or a row too short, which pandas fills up without a word


def _is_read(column: pd.Series, rule: Column) -> bool:
    """Whether it came as text where it is text, else as numbers: pandas makes categories numbers where all are."""
    if rule.kind != "text":
        return column.dtype.kind in "iuf"
    return rule.free or column.cat.categories.dtype == "str"


def _by_pandas(file: Counted, form: Form) -> Iterator[pd.DataFrame]:
    """Raises DoubtError where pandas is not content."""
    names = {column.name for column in form.columns}
    texts = {column.name: text_dtype(column) for column in form.columns if column.kind == "text"}
    strings = {name: "str" for name in _MAY_BE_NUMBERS if name in texts}
    try:
        reader = pd.read_csv(  # type: ignore[call-overload]  # the stubs ask for a whole file object
            file,
            header=None,
            names=[name if name in names else f"{name} ({i})" for i, name in enumerate(form.header)],
            usecols=list(names),
            index_col=False,
            chunksize=_ROWS,
            dtype=texts | strings,
            keep_default_na=False,
            na_values={column.name: list(column.nulls) for column in form.columns if column.kind != "text"},
        )
        while (frame := _next(reader)) is not None:
            yield frame.astype(dict.fromkeys(strings, "category"))
    except (ValueError, pd.errors.ParserWarning, pd.errors.DtypeWarning) as error:
        raise DoubtError from error


def _next(frames: Iterator[pd.DataFrame]) -> pd.DataFrame | None:
    with warnings.catch_warnings():
        warnings.simplefilter("error", pd.errors.ParserWarning)  # a row longer than the header
        warnings.simplefilter("error", pd.errors.DtypeWarning)  # numbers here and text there
        return next(frames, None)


def text_dtype(column: Column) -> Literal["str", "category"]:
    """What a column of text is held as."""
    return "str" if column.free else "category"


def parse_exactly(path: Path, number: int, part: bytes, form: Form) -> pd.DataFrame:
    """As `parse`, but slow; `part` begins with line `number` of the file at `path`.

    Raises ReadError for the first row that breaks a rule, and of several columns in it for the first.
    """
    rows, torn = _rows_before_an_error(path, number, part, form.header)
    fields = dict(zip(form.header, zip(*rows.values(), strict=True), strict=True)) if rows else {}
    columns, misspelt = dict[str, pd.Series](), list[Broken]()
    for column in form.columns:
        texts = pd.Series(pd.Categorical(fields.get(column.name, ())))
        misspelt += column.misspelt(texts)
        if column.kind == "text":
            columns[column.name] = texts.astype(text_dtype(column))
        else:
            numbers = [_number(column, text) for text in texts.cat.categories]
            columns[column.name] = pd.Series(np.array(numbers, np.float64)[texts.cat.codes])
    if place := _first_broken(columns, form, misspelt):
        line, values = list(rows.items())[place[0]]
        problem = place[1].says(dict(zip(form.header, values, strict=True)))
        raise ReadError.at(path, line, place[1].column, problem)
    if torn:
        raise torn
    return pd.DataFrame(columns)


def _number(column: Column, text: str) -> float:
    return math.nan if text in NULLS or column.problem(text) else float(text)


def _first_broken(
    columns: Mapping[str, pd.Series], form: Form, misspelt: Iterable[Broken] = ()
) -> tuple[int, Broken] | None:
    """The first row that breaks a rule, and the rule; of several rules the first column's."""
    found = [
        *misspelt,
        *(broken for column in form.columns for broken in column.broken(columns[column.name])),
    ]
    order = [column.name for column in form.columns]
    found.sort(key=lambda broken: order.index(broken.column))
    if "status" in columns:
        found += broken_cells(columns, form.schema)
    places = [(int(broken.rows.argmax()), broken) for broken in found if broken.rows.any()]
    return min(places, key=lambda place: place[0], default=None)


def _rows_before_an_error(
    path: Path, number: int, part: bytes, header: Sequence[str]
) -> tuple[Mapping[int, Sequence[str]], ReadError | None]:
    """The fields of each row by the number of its first line, as far as this is CSV with this header."""
    rows: dict[int, Sequence[str]] = {}
    try:
        for line, values in _rows(path, number, part, header):
            if len(values) != len(header):
                raise _miscounted(path, line, header, values)
            rows[line] = values
    except ReadError as error:
        return rows, error
    return rows, None


def _rows(path: Path, number: int, part: bytes, header: Sequence[str]) -> Iterator[tuple[int, list[str]]]:
    text = _NOT_UTF8.sub("\0", part.decode("utf-8", "surrogateescape"))
    seen: list[str] = []
    reader = csv.reader(_remember(io.StringIO(text, newline=""), seen), strict=True)
    while True:
        seen.clear()
        line = number + reader.line_num
        try:
            values = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            column = header[min(_fields_until(str(error), seen[0]), len(header)) - 1]
            problem = f"is not CSV ({error}): a quote never closed?"
            raise ReadError.at(path, line, column, problem) from error
        if len(values) > 1 or "".join(values).strip():  # no blank line
            yield line, values


def _remember(lines: Iterable[str], seen: list[str]) -> Iterator[str]:
    for line in lines:
        seen.append(line)
        yield line


def _fields_until(error: str, line: str) -> int:
    """How many fields of `line` there are as far as it is wrong, and thus which one is."""
    ends = [place for place, letter in enumerate(line) if letter == ","]
    for start in (line[:end] for end in ends if "expected after" in error):
        try:
            list(csv.reader([start], strict=True))
        except csv.Error as found:
            if str(found) == error:
                return len(next(csv.reader([start])))
    return len(next(csv.reader([line])))


def _miscounted(path: Path, line: int, header: Sequence[str], values: Sequence[str]) -> ReadError:
    count = f"{len(values)} fields where the header has {len(header)}"
    if len(values) > len(header):
        extra = quoted(values[len(header)])
        problem = f"is followed by {extra}: {count}; quote fields that hold commas"
        return ReadError.at(path, line, header[-1], problem)
    after = f"the row ends after {header[len(values) - 1]}, {quoted(values[-1])}"
    return ReadError.at(path, line, header[len(values)], f"is missing: {after} ({count}); truncated?")
