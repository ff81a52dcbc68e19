"""A CSV file on its way to a parser: in parts that end with a row, and how many fields they have counted meanwhile.

A parser fills up a row that is too short without a word; the commas tell.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import BinaryIO

import numpy as np

__all__ = ["Counted", "occurrences", "parts"]

_AT_ONCE = 1 << 18
"""Bytes that are handed on at a time: as many as pandas asks for, and few enough for a CPU's cache."""
_BESIDE = np.frombuffer(b',\r\n"', np.uint8)
"""What stands before a quote that begins and after one that ends: another quote where two of them stand for one."""


def parts(file: BinaryIO, size: int) -> Iterator[bytes]:
    """The rest of `file` in parts of about `size` bytes that end with a row, as far as the quotes tell."""
    while chunk := file.read(size):
        pieces, inside = list[bytes](), 0
        while chunk:
            pieces += [chunk, file.readline()]
            inside ^= sum(piece.count(b'"') for piece in pieces[-2:]) % 2
            chunk = file.read(size) if inside else b""
        yield b"".join(pieces)


class Counted:
    """What pandas reads instead of `file`: the same bytes.  `doubtful`: they may be no rows of a CSV file."""

    def __init__(self, file: BinaryIO) -> None:
        self._parts = parts(file, _AT_ONCE)
        self.size = 0
        self.commas = 0
        """Those between fields."""
        self.doubtful = False

    def read(self, _size: int = -1) -> bytes:
        """The next part, whatever its size; empty at the end."""
        part = next(self._parts, b"")
        if part:
            self.size += len(part)
            commas = _between_fields(part)
            self.commas += commas or 0
            self.doubtful |= commas is None or b"\0" in part or not part.endswith(b"\n")
        return part

    def __iter__(self) -> Iterator[bytes]:
        """pandas asks for it, and then reads."""
        return iter(self.read, b"")


def occurrences(letter: str, data: bytes) -> int:
    """How often an ASCII letter stands in `data`; as `bytes.count`, but faster."""
    return int(np.count_nonzero(np.frombuffer(data, np.uint8) == ord(letter)))


def _between_fields(part: bytes) -> int | None:
    """How many commas stand between the fields of `part`; None where a quote may be out of place."""
    commas = occurrences(",", part)
    if b'"' not in part:
        return commas
    data = np.frombuffer(part, np.uint8)
    quotes = np.flatnonzero(data == ord('"'))
    begins, ends = quotes[::2], quotes[1::2]
    outside = (begins - (begins > 0), ends + (ends < len(data) - 1))  # at an edge the quote itself
    if len(quotes) % 2 or not all(np.isin(data[places], _BESIDE).all() for places in outside):
        return None
    fields = zip(begins.tolist(), ends.tolist(), strict=True)
    return commas - sum(part.count(b",", begin, end) for begin, end in fields)
