"""Which rounds count: those that nobody disturbed, where enough of them are left.

A round that was measured again counts as measured last.  It is contended if others disturbed even that (they never
gave way, or the time was up).  Contended rounds are ignored if at least `ENOUGH` clean ones remain; otherwise all
rounds count.  Whether a round is contended is decided without looking at its time, so this picks no fast ones.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

__all__ = ["ENOUGH", "Timed", "by_round", "paired"]

ENOUGH = 6
"""The fewest rounds whose range holds their true median 19 times in 20 (1 - 2/2**6)."""
Timed = tuple[int, float, bool]
"""A round's number, its seconds per call, and whether it was contended."""


def by_round(rounds: Iterable[Timed]) -> dict[int, float]:
    """Seconds per call of each round of one arm that counts."""
    last = {number: (seconds, contended) for number, seconds, contended in rounds}
    kept = _kept([contended for _, contended in last.values()])
    return {number: seconds for (number, (seconds, _)), keep in zip(last.items(), kept, strict=True) if keep}


def paired(one: Iterable[Timed], other: Iterable[Timed]) -> npt.NDArray[np.float64]:
    """Seconds per call of two arms, a row for each round that both have and that counts for both."""
    import numpy as np  # noqa: PLC0415  # collecting a plan must not need it

    first, second = ({number: each for number, *each in rounds} for rounds in (one, other))
    both = [(*first[number], *second[number]) for number in first if number in second]
    kept = _kept([bool(mine or its) for _, mine, _, its in both])
    rows = [(row[0], row[2]) for row, keep in zip(both, kept, strict=True) if keep]
    return np.array(rows, np.float64).reshape(-1, 2)


def _kept(contended: Sequence[bool]) -> list[bool]:
    clean = [not each for each in contended]
    return clean if sum(clean) >= ENOUGH else [True] * len(clean)
