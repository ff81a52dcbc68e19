"""The options that choose cells by what was measured: lists (--ops, --sizes …, --backends), or one case (--op, --n)."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterable, Mapping
from functools import partial
from typing import Any

import pandas as pd

from bench.plan import option_values
from bench.plan.option_values import axis_value, option_flag
from bench.text.hints import did_you_mean
from bench.text.sizes import format_size
from kernels.api import AXES, AXIS_TABLE, USUAL, Axis, Case
from kernels.networks.case import is_allowed, words_of
from scripts._shared import cli

__all__ = ["add_axes", "add_filters", "asked_case", "chosen", "matching"]


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


def add_axes(parser: argparse.ArgumentParser, axes: Iterable[Axis], told: Mapping[str, str]) -> None:
    """Give `parser` a flag for each of `axes`, which takes one value: by default the usual one.

    Those in `told` are None by default, and their help says what that means.
    """
    for axis in axes:
        words = f"of {', '.join(axis.values)}" if axis.values else axis.help
        parser.add_argument(
            option_flag(axis.name),
            type=cli.option_type(axis_value(axis)),
            default=None if axis.name in told else USUAL[axis.name],
            metavar="X",
            help=f"{words} (default {told.get(axis.name, 'the usual' if axis.kind == 'params' else USUAL[axis.name])})",
        )


def asked_case(options: argparse.Namespace, axes: Iterable[Axis], **more: Any) -> Case:
    """The case that the flags of `add_axes` ask for, with `more`.  Raises UsageError for parameters of another op."""
    asked = {axis.name: getattr(options, axis.name) for axis in axes} | more
    try:
        return Case(**asked)
    except ValueError as error:  # each value was checked, but not whether the op has these parameters
        raise cli.UsageError(f"argument --params: {error}") from error


def matching(cells: pd.DataFrame, case: Case, *, but: Iterable[str] = ()) -> pd.DataFrame:
    """Those of `cells` that agree with `case` on every axis but those named in `but`."""
    keep = pd.Series(True, cells.index)
    for axis in AXES:
        if axis not in but:
            keep &= cells[axis] == getattr(case, axis)
    return cells[keep]
