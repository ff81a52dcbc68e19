"""The rounds behind the cells that the page holds."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import pandas as pd

from bench.records.schema import CELL_KEY
from bench.stats.frames import arm_key, rounds_by_arm
from bench.stats.verdicts import Rounds

__all__ = ["by_process", "drawn", "rounds_of"]

_NAME = ("machine", *CELL_KEY)
"""What names a cell among runs of several machines."""
MOST_ROUNDS = 120_000
"""In a page; each takes about ten bytes."""


def rounds_of(cells: pd.DataFrame, found: Sequence[pd.DataFrame]) -> list[Rounds]:
    """The rounds of each row of `cells`, among those `found` (`scripts._shared.run_files.rounds_of_runs`), if any."""
    by_arm: dict[tuple[object, ...], Rounds] = {}
    for rounds in found:
        by_arm |= rounds_by_arm(rounds, _NAME)
    keys = cells[list(_NAME)].itertuples(index=False, name=None)
    return [by_arm.get(arm_key(key), {}) for key in keys]


def drawn(rounds: Sequence[Rounds], most: int = MOST_ROUNDS) -> tuple[list[Rounds], list[str]]:
    """Those that the page draws, and sentences on what it leaves out: whole cells from the end, so that there are at
    most `most` rounds.
    """
    kept, total = list[Rounds](), 0
    for each in rounds:
        total += len(each)
        kept.append(each if total <= most else {})
    left = sum(bool(each) for each in rounds) - sum(map(bool, kept))
    return kept, [f"The rounds of {left:,} cells are not drawn."] * (left > 0)


def by_process(rounds: Rounds) -> Iterator[list[float]]:
    """Seconds per call of the rounds of each process, in their order."""
    found: dict[int, list[tuple[int, float]]] = {}
    for (process, number), seconds in rounds.items():
        found.setdefault(process, []).append((number, seconds))
    for _, each in sorted(found.items()):
        yield [seconds for _, seconds in sorted(each)]
