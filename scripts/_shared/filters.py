"""The options that choose cells by what was measured: --ops, --directions, --placements, --dtypes, --backends."""

from __future__ import annotations

import argparse

import pandas as pd

from bench.records.columns import columns_of, nearest
from bench.records.schema import Cell
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


def chosen(cells: pd.DataFrame, options: argparse.Namespace) -> pd.DataFrame:
    """The cells that the filters leave; raises UsageError for a filter that names what no cell has."""
    for column in _FILTERS:
        wanted = getattr(options, f"{column}s")
        if wanted is None:
            continue
        present = [str(value) for value in cells[column].unique()]
        for value in wanted:
            if value not in present:
                there = f"there is {', '.join(sorted(present))}{nearest(value, present)}"
                raise cli.UsageError(
                    f"--{column}s: no cell has {value!r} (after the filters before); {there}"
                )
        cells = cells[cells[column].isin(wanted)]
    return cells
