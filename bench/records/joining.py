"""Neighbouring columns of few different texts, read as one column, whose few texts are then split.

What a parser takes for a text is the same for a short and for a long one, and a cell's name alone is fifteen of them.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import pandas as pd

from bench.records.columns import NULLS, Column

__all__ = ["Layout", "layout_of", "number_of", "split"]

_BETWEEN = "\x1f"
"""Stands between the texts of joined columns: ASCII's own for units of a record, which no name has."""
_COMMA, _NEWLINE, _QUOTE = map(ord, ',\n"')
_BESIDE = np.frombuffer(b',\r\n"', np.uint8)
"""What stands before a quote that begins and after one that ends: another quote where two of them stand for one."""


class Layout(NamedTuple):
    """A part of a file as the parser gets it: its text, its header, the wanted columns, and what was joined.

    `joined` has the columns behind each joint one, by its name, the first one's.
    """

    text: bytes
    header: Sequence[str]
    columns: Sequence[Column]
    joined: Mapping[str, Sequence[Column]]
    rows: int


def layout_of(part: bytes, header: Sequence[str], columns: Sequence[Column]) -> Layout | None:
    """The part with its neighbours joined; None where a quote is out of place, or a row has not the header's fields."""
    data, width = np.frombuffer(part, np.uint8), len(header)
    ends = _ends(data)
    if ends is None or not _is_whole(data, ends, width):
        return None
    rows, groups = len(ends) // width, list(_groups(header, columns))
    if not groups or _BETWEEN.encode() in part or _quoted_in(groups, data, ends, width):
        return Layout(part, header, columns, {}, rows)
    text = data.copy()
    text[ends.reshape(rows, width)[:, [place for group in groups for place in group[:-1]]]] = ord(_BETWEEN)
    rules = {column.name: column for column in columns}
    joined = {header[group[0]]: [rules[header[place]] for place in group] for group in groups}
    gone = {place for group in groups for place in group[1:]}
    left = [name for place, name in enumerate(header) if place not in gone]
    asked = [_joint(name) if name in joined else rules[name] for name in left if name in rules]
    return Layout(text.tobytes(), left, asked, joined, rows)


def _joint(name: str) -> Column:
    """A column of any text."""
    return Column(name, "text", False, (), "")


def _ends(data: npt.NDArray[np.uint8]) -> npt.NDArray[np.intp] | None:
    """Where each field ends: at its comma or newline; None where a quote may be out of place."""
    ends = np.flatnonzero((data == _COMMA) | (data == _NEWLINE))
    quotes = np.flatnonzero(data == _QUOTE)
    if not len(quotes):
        return ends
    begins, closing = quotes[::2], quotes[1::2]
    outside = (begins - (begins > 0), closing + (closing < len(data) - 1))  # at an edge the quote itself
    if len(quotes) % 2 or not all(np.isin(data[places], _BESIDE).all() for places in outside):
        return None
    first, after = np.searchsorted(ends, begins), np.searchsorted(ends, closing)
    inside = np.zeros(len(ends) + 1, np.int8)
    np.add.at(inside, first, 1)
    np.add.at(inside, after, -1)
    outer: npt.NDArray[np.intp] = ends[np.cumsum(inside[:-1], dtype=np.int8) == 0]
    return outer


def _is_whole(data: npt.NDArray[np.uint8], ends: npt.NDArray[np.intp], width: int) -> bool:
    """Whether each row has so many fields."""
    newlines = data[ends] == _NEWLINE
    return len(ends) > 0 and (
        len(ends) % width == 0
        and bool(newlines[width - 1 :: width].all())
        and width * newlines.sum() == len(ends)
    )


def _groups(header: Sequence[str], columns: Sequence[Column]) -> Iterator[list[int]]:
    """The places of neighbours that can be joined, two or more."""
    few = {column.name for column in columns if column.few}
    group: list[int] = []
    for place, name in enumerate([*header, ""]):
        if name in few:
            group.append(place)
        else:
            if len(group) > 1:
                yield group
            group = []


def _quoted_in(
    groups: Sequence[Sequence[int]], data: npt.NDArray[np.uint8], ends: npt.NDArray[np.intp], width: int
) -> bool:
    """Whether a field in one of `groups` has quotes, which the parser would not see in the midst of a text."""
    fields = np.searchsorted(ends, np.flatnonzero(data == _QUOTE)) % width
    return bool(np.isin(fields, [place for group in groups for place in group]).any())


def split(joint: pd.Series, group: Sequence[Column]) -> dict[str, pd.Series] | None:
    """The columns of a group by name, from their joint column; None where one has a number that is none."""
    codes = joint.cat.codes.to_numpy()
    rows = [text.split(_BETWEEN) for text in joint.cat.categories]
    found: dict[str, pd.Series] = {}
    for column, texts in zip(group, zip(*rows, strict=True), strict=True):
        if column.kind == "text":
            found[column.name] = _categorical(texts, codes)
        elif any(map(column.problem, set(texts))):
            return None
        else:
            found[column.name] = pd.Series(np.array([number_of(column, text) for text in texts])[codes])
    return found


def _categorical(texts: Sequence[str], codes: npt.NDArray[np.integer]) -> pd.Series:
    """The text at each of `codes`, as categories."""
    places = {text: place for place, text in enumerate(sorted(set(texts)))}
    own = np.array([places[text] for text in texts], np.int32)
    dtype = pd.CategoricalDtype(pd.Index(list(places), dtype="str"))
    return pd.Series(pd.Categorical.from_codes(own[codes], dtype=dtype, validate=False), copy=False)


def number_of(column: Column, text: str) -> float:
    """The number that a text stands for; NaN for none, and where it is wrong."""
    return math.nan if text in NULLS or column.problem(text) else float(text)
