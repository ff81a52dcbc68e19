"""Groups of rows that agree in some columns, numbered: one array of numbers at a time, however many columns.

And frames handled column by column, so that of two large frames one goes as the other comes.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np
import numpy.typing as npt
import pandas as pd

__all__ = ["alike", "group_ids", "last_of_each", "numbered", "picked", "tallied"]

_MOST_IDS = 1 << 62
"""Beyond it the product of the columns' sizes may not fit an int64."""
_FEW_ROWS = 10_000
"""A frame of so many takes little memory, and to pop its columns takes most of the time."""


def group_ids(frame: pd.DataFrame, columns: Iterable[str]) -> npt.NDArray[np.int64]:
    """A number from 0 up for each row, the same for rows that agree in `columns` (NaN equals NaN).

    The numbers are in the order of the groups: by the first column, then the second, and so on.
    """
    return numbered((frame[name] for name in columns), len(frame))


def numbered(columns: Iterable[pd.Series], rows: int) -> npt.NDArray[np.int64]:
    """As `group_ids`, of columns that are made one after the other, each with so many rows."""
    ids, size = np.zeros(rows, np.int64), 1
    for column in columns:
        codes, count = _codes(column)
        if size * count > _MOST_IDS:
            size = _make_dense(ids)
        ids *= count
        ids += codes
        size *= count
    _make_dense(ids)
    return ids


def last_of_each(ids: npt.NDArray[np.int64]) -> npt.NDArray[np.bool_]:
    """Which rows are the last of their group, by their groups' numbers from 0 up."""
    place = np.zeros(int(ids.max(initial=-1)) + 1, np.int64)
    place[ids] = np.arange(len(ids))  # of equal numbers the last one stays
    last = np.zeros(len(ids), np.bool_)
    last[place] = True
    return last


def tallied(frame: pd.DataFrame, columns: Iterable[str]) -> pd.DataFrame:
    """The rows that differ in `columns`, and these columns alone, in the order in which they first come.

    With ``count``, how often each comes.  As groupby's size, which takes three times the memory.
    """
    names = list(columns)
    ids = group_ids(frame, names)
    first = np.flatnonzero(last_of_each(ids[::-1])[::-1])
    return frame[names].iloc[first].assign(count=np.bincount(ids)[ids[first]])


def picked(frame: pd.DataFrame, rows: npt.NDArray[np.intp]) -> pd.DataFrame:
    """These rows, -1 for one without values; a large `frame` loses its columns, one by one as the new ones are made."""
    missing = bool((rows < 0).any())
    taken = frame.pop if len(frame) > _FEW_ROWS else frame.__getitem__
    columns = {}
    for name in list(map(str, frame)):
        column = taken(name)
        values = column.to_numpy() if isinstance(column.dtype, np.dtype) else column.array
        columns[name] = pd.Series(pd.api.extensions.take(values, rows, allow_fill=missing), copy=False)
    return pd.DataFrame(columns, pd.RangeIndex(len(rows)), copy=False)


def alike(columns: Sequence[pd.Series]) -> list[pd.Series]:
    """The columns, which are one in several frames, with the same categories, where they are such columns.

    Those of categories that differ are put in the order of their texts.
    """
    dtypes = [column.dtype for column in columns]
    kinds = [isinstance(dtype, pd.CategoricalDtype) for dtype in dtypes]
    if not any(kinds) or (all(kinds) and all(dtype == dtypes[0] for dtype in dtypes)):
        return list(columns)
    coded = [column.astype("category") for column in columns]
    every = sorted({text for column in coded for text in column.cat.categories})
    dtype = pd.CategoricalDtype(pd.Index(every, dtype="str"), ordered=True)
    return [column.astype(dtype) for column in coded]


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
