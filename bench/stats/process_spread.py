"""How much processes of the same code differ, learnt from all pairs of processes of a run.

Each arm is measured in several processes, which are too few to tell by themselves how much they vary.  So arms of one
class (a backend, small or large arrays) are pooled: the posterior mean of the variance between two processes' logs,
each pair with its own error from the rounds, under a flat prior of the standard deviation's log.  An arm whose own
processes differ more than its class is given its own share of the evidence (a moderated variance, as in Smyth, Stat.
Appl. Genet. Mol. Biol. 3, 2004).

Between two processes lie minutes, in which the machine changes.  What changes for all arms alike cancels in every
ratio.  What changes for parallel arms and not for serial ones (a neighbour on one of the CPUs) cancels between arms of
one kind; for arms of unlike kinds it is a variance of its own.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar

import numpy as np

from bench.stats.verdicts import Rounds, alone

__all__ = [
    "AT_FIRST_DF",
    "POOLING",
    "Difference",
    "Pooling",
    "ProcessSpread",
    "Spread",
    "size_band",
    "size_class",
    "variance_between",
]

Key = TypeVar("Key", str, int)

_LEAST = 0.0005
"""The smallest standard deviation of a process that matters."""
_STEPS = 61
_FEWEST = 5
"""Pairs below which a class borrows from the others."""
_AT_FIRST = 0.02
"""A process's standard deviation where nothing was measured yet: most backends have less, small parallel calls more."""
AT_FIRST_DF = 4.0
"""Degrees of freedom of that."""
_HALVES = 1.57
"""The variance of a median over that of a mean."""
_BANDS = (1 << 20, 16 << 20)
"""Bytes that a call moves, where the next band begins: what caches hold, and what they do not."""


@dataclass(frozen=True, slots=True)
class Pooling:
    """How processes are pooled; scripts/simulate.py has the rates under this and other ways."""

    most: float = 0.3
    """The largest standard deviation that is thought possible: small parallel calls have a tenth and more."""
    most_df: float = 12.0
    """Degrees of freedom of a pooled variance, however many pairs: arms of a class are not all alike."""
    own: bool = True
    """Whether an arm whose processes differ more than those of its class has a larger variance than the class."""


POOLING = Pooling()


@dataclass(frozen=True, slots=True)
class Spread:
    """Standard deviations of log times between processes, with the degrees of freedom that they are known with."""

    sd: float
    """Of a process about its code's, what its kind shares taken off."""
    df: float
    kind_sd: float
    """Of what the arms of its kind share."""


@dataclass(frozen=True, slots=True)
class Difference:
    """Between the logs of two processes, with its variance from the rounds."""

    log_ratio: float
    variance: float


def variance_between(one: Spread, other: Spread, *, alike: bool) -> tuple[float, float]:
    """The variance of the log ratio of two processes, one of each arm, and its degrees of freedom.

    `alike`: both are of one kind, serial or parallel.
    """
    shared = 0.0 if alike else one.kind_sd**2 + other.kind_sd**2
    return one.sd**2 + other.sd**2 + shared, min(one.df, other.df)


def size_class(backend: str, bytes_moved: int) -> str:
    """The class of an arm: its backend, since frameworks differ in what a process fixes, and a band of sizes."""
    return f"{backend} {size_band(bytes_moved)}"


def size_band(bytes_moved: int) -> int:
    """0 for calls that move little, and more for those that move more than the caches hold."""
    return sum(bytes_moved >= least for least in _BANDS)


class ProcessSpread:
    """All that a run has seen of it, by class and for kinds."""

    def __init__(self, pooling: Pooling = POOLING) -> None:
        self._pooling = pooling
        self._seen: defaultdict[str, list[Difference]] = defaultdict(list)
        self._kinds: defaultdict[int, list[Difference]] = defaultdict(list)

    def copy(self) -> ProcessSpread:
        """One that can learn more without this one."""
        other = ProcessSpread(self._pooling)
        other._seen.update({of: list(found) for of, found in self._seen.items()})
        other._kinds.update({of: list(found) for of, found in self._kinds.items()})
        return other

    def learn(self, bytes_moved: int, arms: Sequence[tuple[str, bool, Rounds]]) -> list[Difference | None]:
        """Add what the arms of an experiment show: of each its backend, whether it is parallel, and its rounds.

        Returns the difference between two processes of each, what its kind shares taken off; None where an arm has one
        process, or is alone of its kind.
        """
        raw = [_difference(rounds) for _, _, rounds in arms]
        shifts: dict[bool, Difference] = {}
        own: list[Difference | None] = [None] * len(arms)
        for kind in (False, True):
            mine = [i for i, (_, parallel, _) in enumerate(arms) if parallel is kind]
            known = {i: each for i in mine if (each := raw[i]) is not None}
            if not known:
                continue
            shift = float(np.median([each.log_ratio for each in known.values()]))
            shifts[kind] = Difference(
                shift, _HALVES * float(np.mean([d.variance for d in known.values()])) / len(known)
            )
            if len(known) > 1:
                scale = len(known) / (len(known) - 1)  # the shift is made of them
                for i, each in known.items():
                    own[i] = Difference((each.log_ratio - shift) * math.sqrt(scale), each.variance * scale)
        for (backend, _, _), found in zip(arms, own, strict=True):
            if found is not None:
                self._seen[size_class(backend, bytes_moved)].append(found)
        if len(shifts) > 1:  # of two kinds: half of the variance is each one's
            serial, parallel = shifts[False], shifts[True]
            apart = (serial.log_ratio - parallel.log_ratio) / math.sqrt(2)
            self._kinds[size_band(bytes_moved)].append(
                Difference(apart, (serial.variance + parallel.variance) / 2)
            )
        return own

    def spread(self, backend: str, bytes_moved: int, own: Difference | None = None) -> Spread:
        """Of an arm of that backend, whose `own` difference may be larger than those of its class."""
        pooled, df = _pooled(self._seen, size_class(backend, bytes_moved), self._pooling)
        if own is not None and self._pooling.own:
            excess = max(own.log_ratio**2 - own.variance, 0.0) / 2
            pooled = (df * pooled + excess) / (df + 1) if excess > pooled else pooled
        kinds, _ = _pooled(self._kinds, size_band(bytes_moved), self._pooling)
        return Spread(math.sqrt(pooled), df, math.sqrt(kinds))


def _difference(rounds: Rounds) -> Difference | None:
    """Between the first two processes of an arm; None where they are not known well enough to tell."""
    processes = sorted({process for process, _ in rounds})[:2]
    halves = [alone({place: s for place, s in rounds.items() if place[0] == each}) for each in processes]
    known = [half for half in halves if half is not None and math.isfinite(half.se)]
    if len(known) < 2:
        return None
    return Difference(known[0].log_ratio - known[1].log_ratio, known[0].se ** 2 + known[1].se ** 2)


def _pooled(seen: Mapping[Key, Sequence[Difference]], of: Key, pooling: Pooling) -> tuple[float, float]:
    """The variance of a class and its degrees of freedom; one with few pairs borrows from the others."""
    mine: Sequence[Difference] = seen.get(of, [])
    if len(mine) < _FEWEST:
        mine = [*mine, *(each for name, some in seen.items() if name != of for each in some)]
    if not mine:
        return _AT_FIRST**2, AT_FIRST_DF
    return _posterior(mine, pooling.most), min(float(len(mine)), pooling.most_df)


def _posterior(seen: Sequence[Difference], most: float) -> float:
    """The mean of a process's variance: two of them make each difference."""
    sds = np.geomspace(_LEAST, most, _STEPS)
    squares = np.array([each.log_ratio**2 for each in seen])
    total = 2 * sds[:, None] ** 2 + np.maximum([each.variance for each in seen], 1e-12)
    logs = -0.5 * (np.log(total) + squares / total).sum(axis=1)
    weights = np.exp(logs - logs.max())
    return float((weights * sds**2).sum() / weights.sum())
