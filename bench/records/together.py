"""What the columns of one row of cells.csv may hold together.  Each rule judges whole columns, where they were read."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

import numpy as np
import numpy.typing as npt
import pandas as pd

from bench.records.columns import SOME_WIDTHS, TIMED, Broken, quoted, schema_problem
from kernels.api import DIRECTIONS, LAYOUTS
from kernels.networks.case import NETWORK_DIRECTIONS, NETWORK_OPS, WIDTHS
from kernels.op_facts import whole_params

__all__ = ["broken_cells"]

Floats = npt.NDArray[np.float64]
Rows = npt.NDArray[np.bool_]


def broken_cells(columns: Mapping[str, pd.Series], schema: int) -> Iterator[Broken]:
    """The rows of a cells.csv of `schema` whose columns, right one by one, do not go together."""
    yield Broken(
        "schema",
        columns["schema"].to_numpy() != schema,
        lambda row: schema_problem(int(float(row["schema"])), schema),
    )
    yield from _timed_without_time(columns)
    network, width = _are_any_of(NETWORK_OPS, columns["op"]), _input_widths(columns["layout"])
    for rows, misplaced, layouts, directions in (
        (network, width == 0, [SOME_WIDTHS], NETWORK_DIRECTIONS),
        (~network, width > 0, LAYOUTS, DIRECTIONS),
    ):
        yield _unlike_its_op("layout", rows & misplaced, layouts)
        elsewhere = ~_are_any_of(directions, columns["direction"])
        yield _unlike_its_op("direction", rows & elsewhere, directions)
    yield Broken("n", _no_whole_batches(columns["n"].to_numpy(), width), _says_no_whole_batches)
    if "params" in columns:
        yield _foreign_params(columns["op"], columns["params"])


def _timed_without_time(columns: Mapping[str, pd.Series]) -> Iterator[Broken]:
    timed = _are_any_of(TIMED, columns["status"]) & ~_are_any_of(("floor",), columns["role"])
    if "time_s" in columns:
        yield Broken(
            "time_s",
            timed & ~(columns["time_s"].to_numpy() > 0),
            lambda row: f"is {quoted(row['time_s'])}, but status is {row['status']}; a time belongs here",
        )
    if "rounds" in columns:
        yield Broken(
            "rounds",
            timed & (columns["rounds"].to_numpy() == 0),
            lambda row: f"is {quoted(row['rounds'])}, but status is {row['status']}: a time has one or more",
        )


def _are_any_of(words: Iterable[str], texts: pd.Series) -> Rows:
    """Which of `texts`, a categorical, are one of `words`."""
    rows: Rows = texts.cat.categories.isin(words)[texts.cat.codes.to_numpy()]
    return rows


def _unlike_its_op(column: str, rows: Rows, allowed: Iterable[str]) -> Broken:
    """A network has widths and its own directions, an activation has neither."""
    others = ", ".join(allowed)
    return Broken(
        column, rows, lambda row: f"is {quoted(row[column])}, but op is {row['op']}; allowed: {others}"
    )


def _foreign_params(ops: pd.Series, params: pd.Series) -> Broken:
    """Parameters that a row's op does not have, or does not allow."""
    texts = params.cat.categories
    pairs = ops.cat.codes.to_numpy(np.int64) * len(texts) + params.cat.codes.to_numpy()
    met = [divmod(pair, len(texts)) for pair in np.unique(pairs).tolist()]
    refused = [op * len(texts) + text for op, text in met if _refused(ops.cat.categories[op], texts[text])]
    return Broken("params", np.isin(pairs, refused), lambda row: _refused(row["op"], row["params"]))


def _refused(op: str, params: str) -> str:
    """What is wrong with parameters of an op; empty where nothing is."""
    try:
        whole_params(op, params)
    except ValueError as error:
        return str(error)
    return ""


def _input_widths(layouts: pd.Series) -> Floats:
    """The width of each network's input; 0 for the layout of an activation."""
    matches = map(WIDTHS.fullmatch, layouts.cat.categories)
    widths: Floats = np.array([float(match[1]) if match else 0.0 for match in matches])
    return widths[layouts.cat.codes.to_numpy()]


def _no_whole_batches(n: Floats, widths: Floats) -> Rows:
    with np.errstate(invalid="ignore"):  # the remainder of inf, which is no count
        rows: Rows = (widths > 0) & ((n == 0) | (n % np.maximum(widths, 1) > 0))
    return rows


def _says_no_whole_batches(row: Mapping[str, str]) -> str:
    width = row["layout"].partition("-")[0]
    return f"is {float(row['n']):.0f}; a batch of {row['layout']} has a multiple of {width} elements"
