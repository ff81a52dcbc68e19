"""Tables of text, still without a format: titles, headers, rows, and what stands around them."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import pandas as pd

from scripts._shared.remarks import axis_text, matters

__all__ = ["Block", "Column", "Report", "Section", "cut_note", "sections_of", "title_of"]


@dataclass(frozen=True, slots=True)
class Section:
    """One table: rows of text under headers; `right` tells which columns are aligned to the right.

    `narrow`: on a terminal the columns are close to each other.
    """

    title: str
    headers: tuple[str, ...]
    rows: list[tuple[str, ...]]
    right: tuple[bool, ...]
    narrow: bool = False


@dataclass(frozen=True, slots=True)
class Block:
    """The sections of one kind of table; `note` says what was left out."""

    heading: str
    sections: list[Section]
    note: str = ""


@dataclass(slots=True)
class Report:
    """All that a summary says."""

    intro: list[str] = field(default_factory=list)
    blocks: list[Block] = field(default_factory=list)
    legend: list[str] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)


class Column(NamedTuple):
    """A column of a table: what its row says under the header."""

    header: str
    text: Callable[[Any], str]
    right: bool = True


def cut_note(shown: int, total: int, what: str) -> str:
    """What was left out of a table, and how to see it; empty where nothing was."""
    if not total:
        return "None: nothing was timed."
    if shown == total:
        return ""
    return (
        f"The first {shown:,} of {total:,} {what}: choose with --ops, --dtypes and the like, show all with"
        " --limit 0, or write them with --format csv."
    )


def sections_of(
    frame: pd.DataFrame, columns: Sequence[Column], fixed: Sequence[str], rare: Sequence[str]
) -> list[Section]:
    """A section for each run of rows that have the same title (see `title_of`)."""
    headers, right = tuple(c.header for c in columns), tuple(c.right for c in columns)
    return [
        Section(title, headers, [tuple(column.text(row) for column in columns) for row in rows], right)
        for title, rows in itertools.groupby(
            frame.itertuples(index=False), key=lambda row: title_of(row, fixed, rare)
        )
    ]


def title_of(row: Any, fixed: Sequence[str], rare: Sequence[str]) -> str:
    """What stands over a table: its row's values on the axes `fixed`, and on those that vary and matter to its op."""
    named = [axis_text(axis, getattr(row, axis)) for axis in rare if matters(axis, row.op)]
    return ", ".join([" ".join(getattr(row, axis) for axis in fixed), *named])
