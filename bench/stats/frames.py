"""Groups of rows in frames of cells or rounds, and the rounds of each arm."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from bench.records.grouping import group_ids

if TYPE_CHECKING:
    from bench.stats.verdicts import Rounds

__all__ = ["arm_key", "counted_rounds", "group_ids", "rounds_by_arm", "timed"]


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
