"""A run that has its CSV files alone: of an older version, or copied by hand.  What is whole of it goes on.

A cell is whole if its row is, and all of its rounds are there.  Cells that are not are measured again.
"""

from __future__ import annotations

import codecs
import csv
import io
import math
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from bench.records import durable
from bench.records.errors import RunFilesError
from bench.records.lines import Key, columns, key_of, parsed
from bench.records.schema import SCHEMA, Cell, Compile, Record, Round, fields_of, since
from bench.text.units import count_text

__all__ = ["Adopted", "adopt"]


class Adopted(NamedTuple):
    """The whole cells with what belongs to them, and a sentence for each file in which something was damaged."""

    cells: Sequence[tuple[Cell, Sequence[Round], Sequence[Compile]]]
    damaged: Mapping[Path, str]


def adopt(cells_path: Path, rounds_path: Path, compiles_path: Path) -> Adopted:
    """Read the files, which may be missing.  Raises RunFilesError for one that is another version's, or unreadable."""
    damaged: dict[Path, str] = {}
    cells = {key_of(cell): cell for cell in _whole(cells_path, Cell, damaged)}
    rounds: dict[Key, dict[tuple[int, int], Round]] = {}
    for each in _whole(rounds_path, Round, damaged):
        rounds.setdefault(key_of(each), {})[each.process, each.round] = each
    compiles = {key_of(each): [each] for each in _whole(compiles_path, Compile, damaged)}
    found = [(cell, list(rounds.get(key, {}).values()), compiles.get(key, [])) for key, cell in cells.items()]
    whole = [each for each in found if len(each[1]) == (each[0].rounds or 0)]
    if len(whole) < len(found):
        lacking = count_text(len(found) - len(whole), "cell")
        damaged.setdefault(
            rounds_path, f"{rounds_path} does not have the rounds of {lacking} in {cells_path.name}"
        )
    return Adopted(whole, damaged)


def _whole(path: Path, kind: type[Record], damaged: dict[Path, str]) -> Iterator[Record]:
    """The records of the rows that are right; what is wrong with the others is added to `damaged`."""
    try:
        data = durable.read(path).removeprefix(codecs.BOM_UTF8)  # spreadsheets begin with it
    except FileNotFoundError:
        return
    except OSError as error:
        raise RunFilesError(
            f"{path} cannot be read: {error.strerror}; delete it to measure its cells again, or choose another --run-id"
        ) from None
    wrong = list[str]()
    for number, fields in _rows(path, data, kind, wrong):
        try:
            record = parsed(kind, fields)
            _check_time(record)
            "".join(fields).encode()  # what is not UTF-8 was read as surrogates
        except ValueError as error:
            wrong.append(f"row {number}: {error}")
        else:
            yield record
    if wrong:
        first = wrong[0].encode("utf-8", "backslashreplace").decode()
        damaged[path] = f"{path} is damaged in {count_text(len(wrong), 'row')} ({first})"


def _check_time(record: Cell | Round | Compile) -> None:
    if isinstance(record, Round) and not 0 < record.seconds < math.inf:
        raise ValueError(f"column seconds: {record.seconds}; above 0 belongs there")


def _rows(
    path: Path, data: bytes, kind: type[Record], wrong: list[str]
) -> Iterator[tuple[int, Sequence[str]]]:
    """The fields below the header of each row, with its number."""
    end = data.rfind(b"\n") + 1
    header = data[:end].split(b"\n", 1)[0].decode(errors="replace").strip()
    if end and header != ",".join(columns(kind)):
        written = "was written by an older version" if _is_older(header) else "has other columns"
        raise RunFilesError(f"{path} {written}: this one writes schema {SCHEMA}; choose another --run-id")
    reader = csv.reader(io.StringIO(data[:end].decode("utf-8", "surrogateescape"), newline=""))
    while True:
        number = reader.line_num + 1
        try:
            fields = next(reader)
        except StopIteration:
            break
        except csv.Error as error:
            wrong.append(f"row {number}: {error}")
            continue
        if number > 1 and fields:
            yield number, fields
    if end and data[end:].strip():
        number = data.count(b"\n") + 1
        wrong.append(f"row {number}: the last one is cut off")


def _is_older(header: str) -> bool:
    """Whether it is that of a file of a former schema."""
    former = [
        [field.name for field in fields_of(kind) if since(field) <= schema]
        for kind in (Cell, Round, Compile)
        for schema in range(1, SCHEMA)
    ]
    return header.split(",") in former
