"""The options that choose cells by what was measured: --ops, --sizes, --backends and others."""

from __future__ import annotations

import argparse
from typing import Any

import pandas as pd

from bench.records.columns import columns_of, nearest
from bench.records.schema import Cell
from bench.text.sizes import format_size, parse_sizes
from scripts._shared import cli

__all__ = ["add_filters", "chosen"]

_NAMES = ("op", "direction", "placement", "dtype", "backend")
_FILTERS = {column.name: column.choices for column in columns_of(Cell) if column.name in _NAMES}


def add_filters(parser: argparse.ArgumentParser) -> None:
    """Give `parser` one option per filter, each a comma list."""
    for name, allowed in _FILTERS.items():
        parser.add_argument(
            f"--{name}s",
            type=cli.comma_list(allowed or None),
            metavar="A,B",
            help=f"only these {name}s: {', '.join(allowed)}" if allowed else f"only these {name}s",
        )
    parser.add_argument("--sizes", type=_sizes, metavar="A,B", help="only these sizes")


def _sizes(text: str) -> tuple[int, ...]:
    try:
        return parse_sizes(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from error


def chosen(cells: pd.DataFrame, options: argparse.Namespace) -> pd.DataFrame:
    """The cells that the filters leave; raises UsageError for a filter that names what no cell has."""
    for option, column in {**{f"{name}s": name for name in _FILTERS}, "sizes": "n"}.items():
        wanted = getattr(options, option)
        if wanted is None:
            continue
        for value in wanted:
            if not cells[column].isin([value]).any():
                raise cli.UsageError(_none_has(option, column, value, cells))
        cells = cells[cells[column].isin(wanted)]
    return cells


def _none_has(option: str, column: str, value: Any, cells: pd.DataFrame) -> str:
    text = format_size if column == "n" else str
    there = [text(each) for each in sorted(cells[column].unique())]
    return (
        f"--{option}: no cell has {text(value)!r} (after the filters before); "
        f"there is {', '.join(there)}{nearest(text(value), there)}"
    )
