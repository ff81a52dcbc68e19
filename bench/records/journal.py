"""A file of entries, one a line, each with a checksum: an entry is there as a whole, or not at all.

A line is a JSON array of the CRC-32 of the rest, as eight hexadecimal digits, and the entry.
"""

from __future__ import annotations

import itertools
import json
import zlib
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

from bench.records import durable

__all__ = ["Journal", "Line", "entry_of"]

_HEAD = len('["01234567",')


class Line(NamedTuple):
    """One line: its number from 1, the byte that it begins with, and its entry, or None where it is damaged."""

    number: int
    start: int
    entry: Any


class Journal:
    """The entries in the file at `path`."""

    def __init__(self, path: Path) -> None:
        self.path = path

    @property
    def begun(self) -> bool:
        """Whether there is anything in it: an emptied file is as good as none.  Raises OSError."""
        return self.path.exists() and self.path.stat().st_size > 0

    def create(self, entries: Iterable[Any]) -> None:
        """Make it hold these entries and no others.  Raises OSError."""
        durable.replace(self.path, map(_line_of, entries))

    def append(self, *entries: Any) -> list[int]:
        """Add entries; they are on the disk afterwards, or, where this raises OSError, nothing of them is.

        Returns the bytes that their lines begin with.
        """
        lines = list(map(_line_of, entries))
        starts = itertools.accumulate(map(len, lines), initial=durable.append(self.path, b"".join(lines)))
        return list(starts)[:-1]

    def lines(self) -> Iterator[Line]:
        """All lines in their order, the damaged ones too.  Raises OSError."""
        start = 0
        with self.path.open("rb") as file:
            for number, line in enumerate(file, start=1):
                yield Line(number, start, entry_of(line))
                start += len(line)

    def entry_at(self, start: int) -> Any:
        """The entry of the line that begins with that byte; None where it is damaged.  Raises OSError."""
        with self.path.open("rb") as file:
            file.seek(start)
            return entry_of(file.readline())


def _line_of(entry: Any) -> bytes:
    text = json.dumps(entry, separators=(",", ":")).encode("ascii")
    return b'["%08x",%b]\n' % (zlib.crc32(text), text)


def entry_of(line: bytes) -> Any:
    """The entry that a line holds; None where the line is damaged."""
    text = line[_HEAD:-2]
    if line[:_HEAD] != b'["%08x",' % zlib.crc32(text) or line[-2:] != b"]\n":
        return None
    try:
        entry = json.loads(text)
    except (ValueError, RecursionError):
        return None
    return entry if isinstance(entry, dict) else None
