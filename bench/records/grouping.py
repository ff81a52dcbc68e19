"""Groups of rows that agree in some columns, numbered: one array of numbers at a time, however many columns."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import numpy.typing as npt
import pandas as pd

__all__ = ["group_ids"]

_MOST_IDS = 1 << 62
"""Beyond it the product of the columns' sizes may not fit an int64."""


def group_ids(frame: pd.DataFrame, columns: Iterable[str]) -> npt.NDArray[np.int64]:
    """A number from 0 up for each row, the same for rows that agree in `columns` (NaN equals NaN).

    The numbers are in the order of the groups: by the first column, then the second, and so on.
    """
    ids, size = np.zeros(len(frame), np.int64), 1
    for name in columns:
        codes, count = _codes(frame[name])
        if size * count > _MOST_IDS:
            ids, size = _dense(ids)
        ids, size = ids * count + codes, size * count
    return _dense(ids)[0]


def _codes(column: pd.Series) -> tuple[npt.NDArray[np.int64], int]:
    """Each value's place in the order of the column's values, and how many there are."""
    if column.dtype == "category":
        return np.asarray(column.cat.codes, np.int64), len(column.cat.categories)
    codes, uniques = pd.factorize(column, sort=True, use_na_sentinel=False)
    return np.asarray(codes, np.int64), len(uniques)


def _dense(ids: npt.NDArray[np.int64]) -> tuple[npt.NDArray[np.int64], int]:
    codes, uniques = pd.factorize(ids, sort=True)
    return np.asarray(codes, np.int64), max(1, len(uniques))
