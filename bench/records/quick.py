"""Reads a million rows in seconds, and tells whether anything about them is doubtful: the quick half
of `bench.records.reading`.

Whole columns are checked at once.  The commas are counted as the bytes go by: rows that are too
short or too long would be filled up or cut off by the parser without a word.
"""

from __future__ import annotations

import re
import warnings
from collections.abc import Iterator, Sequence
from typing import BinaryIO

import numpy as np
import pandas as pd

from bench.records.columns import NULLS, Column, suspicious, suspicious_cells

__all__ = ["read_quickly"]

_FREE_TEXT = ("started_utc", "reason", "special_values")  # a category would hold every row's own text
_BOOLEAN = re.compile(rb'(?:^|[,"\n])(?:true|false)[,"\r\n]', re.IGNORECASE)
_BOOLEANS_WITHIN = 1 << 20  # bytes: whoever writes a column as booleans does so from the start


def read_quickly(
    file: BinaryIO, header: Sequence[str], rules: Sequence[Column], columns: Sequence[str] | None
) -> tuple[pd.DataFrame | None, str]:
    """The rows from where `file` stands to its end, and why they may be wrong ("" where they are right).

    No rows at all (None) if the parser gave up; then the second is what it said, in one line.
    Of the columns of free text only those in `columns` are read (None: all).
    """
    tally = _Tally(file)
    try:
        frame = _parse(tally, header, rules, columns)
    except pd.errors.EmptyDataError:
        return pd.DataFrame(columns=[rule.name for rule in rules]), ""
    except (ValueError, pd.errors.ParserWarning) as error:
        return None, " ".join(str(error).split())
    if tally.commas != len(frame) * (len(header) - 1):
        return frame, "some rows have not as many fields as the header"
    if tally.suspicious or _suspicious(frame, rules):
        return frame, "some values are not what belongs in their column"
    return frame, ""


class _Tally:
    """A file on its way to the parser; counts commas outside quotes, looks for NULs and booleans."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self._quoted = False
        self._seen = 0
        self.commas = 0
        self.suspicious = False

    def read(self, size: int = -1) -> bytes:
        """The next bytes of the file, as they are."""
        chunk = self._file.read(size)
        if not chunk:
            return chunk
        self.commas += int(np.count_nonzero(np.frombuffer(chunk, np.uint8) == ord(",")))
        if self._quoted or b'"' in chunk:
            parts = chunk.split(b'"')
            self.commas -= b"".join(parts[0 if self._quoted else 1 :: 2]).count(b",")
            self._quoted ^= len(parts) % 2 == 0
        self.suspicious |= b"\0" in chunk
        if self._seen < _BOOLEANS_WITHIN:  # the parser would take a column of them for numbers
            self.suspicious |= _BOOLEAN.search(chunk) is not None
        self._seen += len(chunk)
        return chunk

    def __iter__(self) -> Iterator[bytes]:
        """The parser asks for an iterator before it settles for `read`."""
        return iter(lambda: self.read(1 << 18), b"")


def _parse(
    tally: _Tally, header: Sequence[str], rules: Sequence[Column], columns: Sequence[str] | None
) -> pd.DataFrame:
    """The known columns of what follows the header; ValueError where a field does not fit its column."""
    wanted = [r for r in rules if r.name not in _FREE_TEXT or columns is None or r.name in columns]
    dtypes = {r.name: "float64" if r.kind != "text" else "category" for r in wanted}
    dtypes |= {name: "str" for name in _FREE_TEXT if name in dtypes}
    with warnings.catch_warnings():
        warnings.simplefilter("error", pd.errors.ParserWarning)
        frame: pd.DataFrame = pd.read_csv(  # type: ignore[call-overload]  # the stubs ask for a whole file object
            tally,
            header=None,
            names=[name if name in dtypes else f"{name} ({i})" for i, name in enumerate(header)],
            usecols=list(dtypes),
            index_col=False,
            dtype=dtypes,
            keep_default_na=False,
            na_values={r.name: list(NULLS) for r in wanted if r.kind != "text"},
        )
    return frame


def _suspicious(frame: pd.DataFrame, rules: Sequence[Column]) -> bool:
    if any(suspicious(rule, frame[rule.name]) for rule in rules if rule.name in frame):
        return True
    return "status" in frame and suspicious_cells(frame)
