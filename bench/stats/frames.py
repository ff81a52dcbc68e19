"""Groups of rows in frames of cells or rounds, and the rounds of each arm."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import pandas as pd

if TYPE_CHECKING:
    from bench.stats.verdicts import Rounds

__all__ = ["arm_key", "counted_rounds", "group_ids", "rounds_by_arm", "timed"]

_MOST_IDS = 1 << 62
"""Beyond it the product of the columns' sizes may not fit an int64."""


def counted_rounds(rounds: pd.DataFrame, arm: Sequence[str]) -> pd.DataFrame:
    """The rows of `rounds` that count (see `bench.stats.counted`); the columns `arm` name an arm of an experiment."""
    return rounds.drop_duplicates([*arm, "process", "round"], keep="last")


def timed(rounds: pd.DataFrame) -> Rounds:
    """The rounds of one arm, which all rows belong to."""
    places = zip(rounds["process"].tolist(), rounds["round"].tolist(), strict=True)
    return dict(zip(places, rounds["seconds"].tolist(), strict=True))


def arm_key(values: Iterable[Any]) -> tuple[Any, ...]:
    """What names an arm, as a key: equal for equal values, and NaN, as a slope may be, equals itself."""
    return tuple(None if value != value else value for value in values)  # noqa: PLR0124


def rounds_by_arm(rounds: pd.DataFrame, columns: Sequence[str]) -> dict[tuple[Any, ...], Rounds]:
    """The rounds of each arm by the `arm_key` of its values in `columns`, which name an arm of an experiment.

    The arms are in the order of `group_ids`.
    """
    ids = group_ids(rounds, columns)
    order = np.argsort(ids, kind="stable")  # the rows of an arm stay in the order of the file
    starts = np.flatnonzero(np.diff(ids[order], prepend=-1))
    ordered = rounds[["process", "round", "seconds"]].iloc[order]
    process, number, seconds = (ordered[name].tolist() for name in ordered)
    names = rounds[list(columns)].iloc[order[starts]].itertuples(index=False, name=None)
    ends = [*starts[1:].tolist(), len(order)]
    return {
        arm_key(name): dict(zip(zip(process[a:b], number[a:b], strict=True), seconds[a:b], strict=True))
        for name, a, b in zip(names, starts.tolist(), ends, strict=False)
    }


def group_ids(frame: pd.DataFrame, columns: Sequence[str]) -> npt.NDArray[np.int64]:
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
