"""The options that choose cells by what was measured: those of the axes (--ops, --sizes, …), and --backends."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from functools import partial
from typing import Any

import pandas as pd

from bench.plan import option_values
from bench.plan.option_values import option_flag
from bench.text.hints import did_you_mean
from bench.text.sizes import format_size
from kernels.api import AXIS_TABLE, Axis
from kernels.networks.case import is_allowed, words_of
from scripts._shared import cli

__all__ = ["add_filters", "chosen"]


def add_filters(parser: argparse.ArgumentParser) -> None:
    """Give `parser` one option per filter, each a comma list."""
    for axis in AXIS_TABLE:
        words = ", ".join(words_of(axis))
        what = f"only these {axis.option.replace('_', ' ')}"
        parser.add_argument(
            option_flag(axis.option),
            type=cli.option_type(_values(axis)),
            metavar="A,B",
            help=f"{what}: {words}" if words else what,
        )
    parser.add_argument("--backends", type=cli.comma_list(), metavar="A,B", help="only these backends")


def _values(axis: Axis) -> Callable[[str], tuple[Any, ...]]:
    if axis.values:
        return partial(option_values.list_of, partial(_word, axis))
    return option_values.axis_list(axis)


def _word(axis: Axis, text: str) -> str:
    return text if is_allowed(axis, text) else option_values.one_of(words_of(axis), text)


def chosen(cells: pd.DataFrame, options: argparse.Namespace) -> pd.DataFrame:
    """The cells that the filters leave; raises UsageError for a filter that names what no cell has."""
    filters = {axis.option: axis.name for axis in AXIS_TABLE} | {"backends": "backend"}
    for option, column in filters.items():
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
    hint = did_you_mean(text(value), there)
    return (
        f"{option_flag(option)}: no cell has {text(value)!r} (after the filters before); "
        f"there is {', '.join(there)}{hint}"
    )
