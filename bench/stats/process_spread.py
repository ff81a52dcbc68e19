"""How much processes of the same code differ, learnt from all pairs of processes of a run.

Each arm is measured in several processes, which are too few to tell by themselves how much they vary.  So arms of one
class (serial or parallel, small or large) are pooled: the posterior mean of the variance between two processes' logs,
each pair with its own error from the rounds, under a flat prior of the standard deviation.  An arm whose own processes
differ more than its class is given its own share of the evidence (a moderated variance, as in Smyth, Stat. Appl. Genet.
Mol. Biol. 3, 2004).
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

import numpy as np

from bench.stats.verdicts import Rounds, pair_of

__all__ = ["Difference", "ProcessSpread", "Spread", "differences", "size_class"]

_MOST = 0.05
"""The largest standard deviation of a process that is thought possible."""
_STEPS = 101
_FEWEST = 5
"""Pairs below which a class borrows from the others."""
_AT_FIRST = 0.01
"""A process's standard deviation where nothing was measured yet."""
_AT_FIRST_DF = 4.0
_MOST_DF = 12.0
"""Degrees of freedom of a pooled variance, however many pairs: arms of a class are not all alike."""
_BANDS = (1 << 20, 16 << 20)
"""Bytes that a call moves, where the next band begins: what caches hold, and what they do not."""


@dataclass(frozen=True, slots=True)
class Spread:
    """The standard deviation of a process's log time about its code's, and its degrees of freedom."""

    sd: float
    df: float

    @property
    def variance(self) -> float:
        """Of the log of one process's time."""
        return self.sd**2


@dataclass(frozen=True, slots=True)
class Difference:
    """Between the log times of two processes of one arm, with its variance from the rounds; what all arms share is off."""

    log_ratio: float
    variance: float


def size_class(bytes_moved: int, *, parallel: bool) -> str:
    """The class of an arm."""
    band = sum(bytes_moved >= least for least in _BANDS)
    return f"{'parallel' if parallel else 'serial'} {band}"


def differences(arms: Sequence[Rounds]) -> list[Difference | None]:
    """Of the arms of an experiment, between the first two processes of each; None for one that has but one.

    Between two processes lie minutes, in which the machine as a whole may change: the median of the arms is taken off.
    """
    found: list[tuple[float, float] | None] = [_difference(rounds) for rounds in arms]
    known = [each for each in found if each is not None]
    if len(known) < 2:
        return [None for _ in arms]
    shift = float(np.median([value for value, _ in known]))
    scale = math.sqrt(len(known) / (len(known) - 1))
    return [
        None if each is None else Difference((each[0] - shift) * scale, each[1] * scale**2) for each in found
    ]


def _difference(rounds: Rounds) -> tuple[float, float] | None:
    processes = sorted({process for process, _ in rounds})[:2]
    if len(processes) < 2:
        return None
    halves = [
        {(0, number): seconds for (each, number), seconds in rounds.items() if each == process}
        for process in processes
    ]
    ones = [dict.fromkeys(half, 1.0) for half in halves]
    pairs = [pair_of(half, one) for half, one in zip(halves, ones, strict=True)]
    one, other = (pair for pair in pairs if pair is not None)
    if not (math.isfinite(one.se) and math.isfinite(other.se)):
        return None
    return one.log_ratio - other.log_ratio, one.se**2 + other.se**2


@dataclass(slots=True)
class ProcessSpread:
    """All that a run has seen of it, by class."""

    _seen: defaultdict[str, list[Difference]] = field(default_factory=lambda: defaultdict(list))

    def add(self, of: str, found: Iterable[Difference | None]) -> None:
        """Differences of arms of class `of`."""
        self._seen[of].extend(each for each in found if each is not None)

    def spread(self, of: str, own: Difference | None = None) -> Spread:
        """Of an arm of class `of`, whose own difference (already added) may be larger than those of its class."""
        mine = self._seen[of]
        others = [each for name, some in self._seen.items() if name != of for each in some]
        used = mine if len(mine) >= _FEWEST else [*mine, *others]
        if not used:
            return Spread(_AT_FIRST, _AT_FIRST_DF)
        pooled = _posterior(used)
        df = min(float(len(used)), _MOST_DF)
        if own is not None:
            excess = max(own.log_ratio**2 - own.variance, 0.0) / 2
            pooled = (df * pooled + excess) / (df + 1) if excess > pooled else pooled
        return Spread(math.sqrt(pooled), df)


def _posterior(seen: Sequence[Difference]) -> float:
    """The mean of a process's variance: two of them make each difference."""
    sds = np.linspace(0.0, _MOST, _STEPS)
    squares = np.array([each.log_ratio**2 for each in seen])
    total = 2 * sds[:, None] ** 2 + np.maximum([each.variance for each in seen], 1e-12)
    logs = -0.5 * (np.log(total) + squares / total).sum(axis=1)
    weights = np.exp(logs - logs.max())
    return float((weights * sds**2).sum() / weights.sum())
