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
            size = _make_dense(ids)
        ids *= count
        ids += codes
        size *= count
    _make_dense(ids)
    return ids


def _codes(column: pd.Series) -> tuple[npt.NDArray[np.integer], int]:
    """Each value's place in the order of the column's values, and how many there are."""
    if column.dtype == "category":
        return column.cat.codes.to_numpy(), len(column.cat.categories)
    codes, uniques = pd.factorize(column, sort=True, use_na_sentinel=False)
    return codes, len(uniques)


def _make_dense(ids: npt.NDArray[np.int64]) -> int:
    """Number the values from 0 up in place, in their order; returns how many there are, at least 1.

    By sorting: a hash table of a million values takes five times their memory.
    """
    order = np.argsort(ids, kind="stable")
    ascending = ids[order]
    new = np.diff(ascending, prepend=ascending[:1]) != 0
    np.cumsum(new, out=ascending)
    ids[order] = ascending
    return int(ascending[-1]) + 1 if ascending.size else 1
