"""Which rounds count: all of them; of a round that stands there twice, the row that was written last."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    from bench.stats.verdicts import Rounds

__all__ = ["by_round", "paired"]


def by_round(rounds: Iterable[tuple[int, int, float]]) -> dict[tuple[int, int], float]:
    """Seconds per call of the rounds of one arm, from (process, round, seconds) in the order of the file."""
    return {(process, number): seconds for process, number, seconds in rounds}


def paired(one: Rounds, other: Rounds) -> npt.NDArray[np.float64]:
    """Seconds per call of two arms, a row for each round of a process that both have."""
    import numpy as np  # noqa: PLC0415  # collecting a plan must not need it

    both = [(seconds, other[place]) for place, seconds in one.items() if place in other]
    return np.array(both, np.float64).reshape(-1, 2)
