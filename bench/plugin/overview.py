"""A run on one screen: for each op and direction a table of sizes and placements, with the fastest set of each."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from bench.plugin.entries import Entry
from bench.text.sizes import format_size
from bench.text.units import MISSING, count_text, percent_text, ratio_text, seconds_text
from kernels.api import USUAL, Case
from kernels.networks.case import NETWORK_OPS, NetworkCase

__all__ = ["HOW_TO_READ", "Grid", "grids", "lines"]

HOW_TO_READ = (
    "over: how many times as fast as the baseline. copy: the share of the speed at which the same bytes were copied.",
    "+2: two more are as fast; ?2: of two more that is not known. ~: something asked about it is not known.",
)
_IN_ROWS = ("op", "direction", "placement", "n")
"""The axes that have a place of their own in a table."""
_NAMES = 14
"""Columns that the names of a fastest set get at least, where placements stand beside each other."""
_MOST_NAMES = 36
"""And at most."""
_FIGURES = 22
"""Columns of the figures beside them, with the gaps."""
_SIZE = 6
_WORD = 11
"""Columns of the size, and of a value of an axis that varies, with the gap."""
_HEADERS = ("over", "copy", "fastest")
"""Of the columns behind a time; a narrow gap is before them."""


@dataclass(frozen=True, slots=True)
class Grid:
    """One table of text; `right`: columns that are aligned to the right, `left_out`: how many cases are missing."""

    title: str
    headers: tuple[str, ...]
    rows: list[tuple[str, ...]]
    right: tuple[bool, ...]
    left_out: int = 0


def grids(found: Sequence[Entry], width: int, most_lines: int | None = None) -> list[Grid]:
    """Tables of them, for lines of `width` characters.

    `most_lines` is how many they may take together, titles and a blank line below each included; where that does not
    suffice, the rarer cases are left out, and sizes from the middle.
    """
    by_title: dict[tuple[str, str], list[Entry]] = {}
    for entry in found:
        by_title.setdefault((entry.axes["op"], entry.axes["direction"]), []).append(entry)
    baselines = {entry.baseline for entry in found} - {""}
    over = baselines.pop() if len(baselines) == 1 else "the baseline"
    whole = [_Table(each, width, over) for each in by_title.values()]
    room = None if most_lines is None else most_lines - _AROUND * len(whole)
    if room is None or sum(len(table.rows) for table in whole) <= room:
        return [table.grid() for table in whole]
    usual = [_Table(_usual_ones(each), width, over) for each in by_title.values()]
    shares = _shares([len(table.rows) for table in usual], max(room, len(usual)))
    return [
        table.grid(rows, each) for table, rows, each in zip(usual, shares, by_title.values(), strict=True)
    ]


_AROUND = 3
"""Lines of a table that are no rows: title, headers, a blank line."""


def _shares(needed: Sequence[int], room: int) -> list[int]:
    """How many rows each may have: as many as it needs, or as many as the others."""
    shares = [0] * len(needed)
    for _ in range(room):
        wanting = [place for place, rows in enumerate(needed) if shares[place] < rows]
        if wanting:
            shares[min(wanting, key=lambda place: shares[place])] += 1
    return shares


def _usual_ones(found: Sequence[Entry]) -> Sequence[Entry]:
    """Those that are usual on the axes that have no place of their own in a table, where there are any."""
    for axis in found[0].axes:
        if axis not in _IN_ROWS:
            usual = [entry for entry in found if entry.axes[axis] == _usual(entry, axis)]
            found = usual or found
    return found


class _Table:
    """The entries of one op and direction."""

    def __init__(self, found: Sequence[Entry], width: int, over: str) -> None:
        self._first, self._over = found[0], over
        axes = [axis for axis in found[0].axes if axis not in _IN_ROWS]
        self._varying = [axis for axis in axes if len({entry.axes[axis] for entry in found}) > 1]
        self._fixed = [axis for axis in axes if axis not in self._varying and self._is_said(axis)]
        placements = list(dict.fromkeys(entry.axes["placement"] for entry in found))
        room = (width - _SIZE - _WORD * len(self._varying)) // len(placements) - _FIGURES
        if len(placements) == 1:
            self._fixed = ["placement", *self._fixed]
        elif room < _NAMES:
            self._varying, placements = ["placement", *self._varying], [""]
            room = width - _SIZE - _WORD * len(self._varying) - _FIGURES
        self._columns = placements
        self._names = max(min(room, _MOST_NAMES), _NAMES)
        self.rows: dict[tuple[Any, ...], dict[str, Entry]] = {}
        """By size and the values that vary, the entries by their column."""
        for entry in sorted(found, key=lambda entry: int(entry.axes["n"])):
            key = (int(entry.axes["n"]), *(entry.axes[axis] for axis in self._varying))
            column = "" if self._columns == [""] else entry.axes["placement"]
            self.rows.setdefault(key, {})[column] = entry

    def _is_said(self, axis: str) -> bool:
        """Whether the title has the value of an axis that is the same everywhere."""
        return axis == "dtype" or self._first.axes[axis] != _usual(self._first, axis)

    def grid(self, most: int | None = None, found: Sequence[Entry] = ()) -> Grid:
        """The table with so many rows at most, of all that were `found`."""
        first = self._first.axes
        title = " ".join(
            [first["op"], first["direction"], *(_word(axis, first[axis]) for axis in self._fixed)]
        )
        headers = ["size", *self._varying]
        for column in self._columns:
            headers += [column if len(self._columns) > 1 else "time", *_HEADERS]
        kept = self._kept(len(self.rows) if most is None else most)
        shown = [
            (
                format_size(key[0]),
                *(_word(axis, value) for axis, value in zip(self._varying, key[1:], strict=True)),
                *itertools.chain.from_iterable(self._texts(self.rows[key].get(c)) for c in self._columns),
            )
            for key in kept
        ]
        right = (True, *(False for _ in self._varying), *(True, True, True, False) * len(self._columns))
        left_out = len(found) - sum(len(self.rows[key]) for key in kept) if found else 0
        return Grid(f"{title}, over {self._over}", tuple(headers), shown, right, left_out)

    def _texts(self, entry: Entry | None) -> tuple[str, str, str, str]:
        if entry is None:
            return MISSING, MISSING, MISSING, MISSING
        time = f"{'~' if entry.noisy else ''}{seconds_text(entry.time_s)}"
        return time, ratio_text(entry.speedup), percent_text(entry.of_copy), _set_text(entry, self._names)

    def _kept(self, most: int) -> list[tuple[Any, ...]]:
        """The rows that are shown: where they are too many, those of some sizes, from the smallest to the largest."""
        sizes = list(dict.fromkeys(key[0] for key in self.rows))
        for kept in range(len(sizes), 0, -1):
            some = {sizes[place] for place in _spread(len(sizes), kept)}
            rows = [key for key in self.rows if key[0] in some]
            if len(rows) <= most:
                return rows
        return list(self.rows)[:most]


def _spread(total: int, kept: int) -> list[int]:
    """`kept` places among `total`, from the first to the last."""
    if kept <= 1:
        return [0] * kept
    return [round(i * (total - 1) / (kept - 1)) for i in range(kept)]


def _usual(entry: Entry, axis: str) -> Any:
    """The value that goes without saying, None where there is none; of parameters those of the op."""
    if axis == "placement":
        return None
    if axis not in ("negative_slope", "params"):
        return USUAL[axis]
    op = str(entry.axes["op"])
    return getattr(NetworkCase(op) if op in NETWORK_OPS else Case(op), axis)


def _word(axis: str, value: Any) -> str:
    if axis == "threads":
        return count_text(value, "thread") if value else "default"
    return f"slope {value:g}" if axis == "negative_slope" else str(value)


def _set_text(entry: Entry, width: int) -> str:
    """``numba_tuned, torch_eager ?1``: as many names as fit."""
    unknown = f" ?{len(entry.unresolved)}" if entry.unresolved else ""
    for shown in range(len(entry.fastest), 0, -1):
        more = f" +{len(entry.fastest) - shown}" if shown < len(entry.fastest) else ""
        names = ", ".join(entry.fastest[:shown])
        if len(names + more + unknown) <= width:
            return names + more + unknown
    name = entry.fastest[0]
    return f"{name[: max(width - len(more + unknown) - 1, 1)]}.{more}{unknown}"


def lines(grid: Grid) -> list[str]:
    """The table as lines of text."""
    table = [grid.headers, *grid.rows]
    widths = [max(len(row[i]) for row in table) for i in range(len(grid.headers))]
    gaps = [" " if header in _HEADERS else "  " for header in grid.headers[1:]]
    made = [grid.title]
    for row in table:
        cells = zip(row, widths, grid.right, strict=True)
        padded = [cell.rjust(width) if right else cell.ljust(width) for cell, width, right in cells]
        made.append("".join([padded[0], *map("".join, zip(gaps, padded[1:], strict=True))]).rstrip())
    return made
