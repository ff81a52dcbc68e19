"""A number of a table that a simulation makes, and tables as Markdown."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from tabulate import tabulate

__all__ = ["Figure", "markdown"]


@dataclass(frozen=True, slots=True)
class Figure:
    """One number: the name of its table, its row and its column."""

    table: str
    row: str
    column: str
    value: float
    digits: int = 1
    """Of its fraction, where it is shown."""


def markdown(figures: Iterable[Figure], first: str) -> str:
    """The figures of one table, rows and columns in the order in which they come; `first` heads the rows."""
    rows: dict[str, dict[str, str]] = {}
    columns: dict[str, None] = {}
    for figure in figures:
        rows.setdefault(figure.row, {})[figure.column] = _text(figure)
        columns[figure.column] = None
    body = [[row, *(values.get(column, "") for column in columns)] for row, values in rows.items()]
    return tabulate(
        body, headers=[first, *columns], tablefmt="github", disable_numparse=True, colalign=_align(columns)
    )


def _text(figure: Figure) -> str:
    return "" if math.isnan(figure.value) else f"{figure.value:.{figure.digits}f}"


def _align(columns: Iterable[str]) -> Sequence[str]:
    return ("left", *("right" for _ in columns))
