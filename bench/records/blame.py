"""Says what is wrong with a CSV file, and where: the slow, exact half of `bench.records.reading`."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from bench.records.columns import Column, cell_problem, quoted
from bench.text.hints import did_you_mean

__all__ = ["ReadError", "check_header", "explain"]


class ReadError(ValueError):
    """A file that cannot be read as what it should be; one line: file, row, column, what to do."""

    @classmethod
    def at(cls, path: Path, row: int, column: str, problem: str) -> ReadError:
        """The error at a row (the 1-based number of its line in the file) and a column."""
        return cls(f"{path}: row {row}, column {column}: {problem}")


def check_header(path: Path, header: Sequence[str], rules: Sequence[Column]) -> None:
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


def explain(
    path: Path, number: int, lines: Iterable[str], header: Sequence[str], rules: Sequence[Column]
) -> None:
    """Raise ReadError for the first row that breaks a rule; return if none does.

    `lines` are lines of the file at `path`, line ends included, from its line `number` on.
    """
    for row, values in _rows(path, number, lines, header):
        if not values:
            continue  # a blank line
        if len(values) != len(header):
            raise _miscounted(path, row, header, values)
        named = dict(zip(header, values, strict=True))
        for rule in rules:
            problem = rule.problem(named[rule.name])
            if problem:
                raise ReadError.at(path, row, rule.name, problem)
        broken = cell_problem(named) if "status" in named else None
        if broken:
            raise ReadError.at(path, row, *broken)


def _rows(
    path: Path, first: int, lines: Iterable[str], header: Sequence[str]
) -> Iterator[tuple[int, list[str]]]:
    """The line number and the fields of each row."""
    seen: list[str] = []
    reader = csv.reader(_remember(lines, seen), strict=True)
    while True:
        seen.clear()
        number = first + reader.line_num
        try:
            values = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            column = header[min(len(next(csv.reader(seen[:1]))), len(header)) - 1]
            problem = f"is not CSV ({error}): a quote never closed?"
            raise ReadError.at(path, number, column, problem) from error
        yield number, values


def _remember(lines: Iterable[str], seen: list[str]) -> Iterator[str]:
    for line in lines:
        seen.append(line)
        yield line


def _miscounted(path: Path, number: int, header: Sequence[str], values: Sequence[str]) -> ReadError:
    count = f"{len(values)} fields where the header has {len(header)}"
    if len(values) > len(header):
        extra = quoted(values[len(header)])
        problem = f"is followed by {extra}: {count}; quote fields that hold commas"
        return ReadError.at(path, number, header[-1], problem)
    after = f"the row ends after {header[len(values) - 1]}, {quoted(values[-1])}"
    return ReadError.at(path, number, header[len(values)], f"is missing: {after} ({count}); truncated?")


def _other_separator(header: Sequence[str]) -> str:
    for separator, name in ((";", "semicolons"), ("\t", "tabs"), ("|", "bars")):
        if len(header) == 1 and header[0].count(separator) > 5:
            return f"separated by {name}; commas belong there"
    return ""
