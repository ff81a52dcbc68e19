"""The error of each cell's change between two sides: what its runs know of, and what differs from run to run beside."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pandas as pd

from bench.stats.between_runs import moderated
from bench.stats.drift import Drift

__all__ = ["errors", "old_side"]

Floats = npt.NDArray[np.float64]

_AT_ONCE = 1 << 16
"""Rows whose parts of an error are in memory together: twenty numbers each."""


def errors(cells: pd.DataFrame, drift: Drift) -> tuple[Floats, Floats]:
    """The variance of each cell's difference, and its degrees of freedom."""
    variance, df = np.empty(len(cells)), np.empty(len(cells))
    for start in range(0, len(cells), _AT_ONCE):
        some = slice(start, start + _AT_ONCE)
        variance[some], df[some] = _errors_of(cells.iloc[some], drift)
    return variance, df


def _errors_of(cells: pd.DataFrame, drift: Drift) -> tuple[Floats, Floats]:
    runs = 1 / cells["runs_old"] + 1 / cells["runs_new"]
    between = (
        cells["between_old"] + cells["between_new"]
    )  # both from one kind of pool, so known as well as the worse
    parts = [
        cells["within_old"],
        cells["within_new"],
        between,
        drift.variance[cells["alike"]] * runs,
        np.square(cells["shift_se"].fillna(0.0)),
    ]
    whole = np.zeros(len(cells))
    dfs = [
        cells["within_df_old"],
        cells["within_df_new"],
        cells[["between_df_old", "between_df_new"]].min(axis=1),
        drift.df[cells["alike"]],
        whole + np.inf,
    ]
    own_df = (cells["runs_old"] + cells["runs_new"] - 2).fillna(0.0).to_numpy()
    squares = (cells["squares_old"] + cells["squares_new"]) * runs
    own = squares.to_numpy() / np.maximum(own_df, 1.0)
    return moderated(np.array(parts, float), np.array(dfs, float), own, own_df)


def old_side(cells: pd.DataFrame, drift: tuple[float, float]) -> pd.DataFrame:
    """The column `old` of a `Comparison`."""
    whole = np.zeros(len(cells))
    own_df = (cells["runs_old"] - 1).fillna(0.0).to_numpy()
    own = cells["squares_old"].to_numpy() / np.maximum(own_df, 1.0) / cells["runs_old"].to_numpy()
    parts = [cells["within_old"], cells["between_old"], drift[0] ** 2 * (1 + 1 / cells["runs_old"])]
    dfs = [cells["within_df_old"], cells["between_df_old"], whole + drift[1]]
    variance, df = moderated(np.array(parts, float), np.array(dfs, float), own, own_df)
    return pd.DataFrame(
        {
            "value": cells["value_old"],
            "variance": variance,
            "df": df,
            "runs": cells["runs_old"],
            "old_process": cells["process_variance_old"],
            "new_process": cells["process_variance_new"],
            "process_df": cells[["between_df_old", "between_df_new"]].min(axis=1),
        }
    )
