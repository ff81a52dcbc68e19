"""How much processes of the same code differ, learnt from all pairs of processes of a run.

Each arm is measured in several processes, which are too few to tell by themselves how much they vary.  So arms of one
class (a backend and a size) are pooled: the posterior mean of the variance between two processes' logs, each pair with
its own error from the rounds.  What the other backends show at that size is known beforehand, and counts like a few
pairs (a power prior: Ibrahim and Chen, Stat. Sci. 15, 2000).  A few processes differ much more than all others: the
pairs' tails are Student's, so that these few do not speak for their class (as in Phipson and others, Ann. Appl. Stat.
10, 2016).  They speak for themselves: an arm whose own processes differ more than its class is given its own share of
the evidence (a moderated variance, as in Smyth, Stat. Appl. Genet. Mol. Biol. 3, 2004).

Between two processes lie minutes, in which the machine changes.  What changes for all arms alike cancels in every
ratio, round by round, and is taken off each arm's rounds first (`bench.stats.shared_rounds`): what is left tells far
more of a process than its times do.  What changes for parallel arms and not for serial ones (a neighbour on one of the
CPUs) cancels between arms of one kind; for arms of unlike kinds it is a variance of its own.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from bench.stats.shared_rounds import apart
from bench.stats.verdicts import Rounds, alone

__all__ = [
    "AT_FIRST_DF",
    "POOLING",
    "Difference",
    "Pooling",
    "ProcessSpread",
    "Spread",
    "size",
    "size_band",
    "size_class",
    "variance_between",
]

Class = tuple[str, int]
"""A backend, and what is one size."""

_LEAST = 0.0005
"""The smallest standard deviation of a process that matters."""
_STEPS = 61
_AT_FIRST = 0.02
"""A process's standard deviation where nothing was measured yet: most backends have less, small parallel calls more."""
AT_FIRST_DF = 4.0
"""Degrees of freedom of that."""
_BANDS = (1 << 20, 16 << 20)
"""Bytes that a call moves, where the next band begins: what caches hold, and what they do not."""


@dataclass(frozen=True, slots=True)
class Pooling:
    """How processes are pooled; scripts/simulate.py has the rates under this and other ways."""

    most: float = 0.3
    """The largest standard deviation that is thought possible: small parallel calls have a tenth and more."""
    most_df: float = 8.0
    """Degrees of freedom of a pooled variance, however many pairs: arms of a class are not all alike."""
    tails: float = 6.0
    """Degrees of freedom of Student's t, which differences between processes follow, above 2; inf: they are normal."""
    others: float = 3.0
    """Pairs that all other classes count for together: those of the same size, and the rest where these are fewer."""
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


def size_class(backend: str, bytes_moved: int) -> Class:
    """The class of an arm: its backend, since frameworks differ in what a process fixes, and its size."""
    return backend, size(bytes_moved)


def size(bytes_moved: int) -> int:
    """Bytes within a factor of four are one size: the directions of one case."""
    return max(bytes_moved, 1).bit_length() // 2


def size_band(bytes_moved: int) -> int:
    """0 for calls that move little, and more for those that move more than the caches hold."""
    return sum(bytes_moved >= least for least in _BANDS)


def _kinds_class(bytes_moved: int) -> Class:
    """Serial beside parallel arms differ by the machine, whatever the backend."""
    return "kinds", size_band(bytes_moved)


class ProcessSpread:
    """All that a run has seen of it, by class and for kinds."""

    def __init__(self, pooling: Pooling = POOLING) -> None:
        self._pooling = pooling
        self._seen: defaultdict[Class, list[Difference]] = defaultdict(list)
        self._kinds: defaultdict[Class, list[Difference]] = defaultdict(list)
        self._known: dict[Class, tuple[float, float]] = {}
        """Of a class and of a band of kinds, as asked for so far: its variance and degrees of freedom."""

    def copy(self) -> ProcessSpread:
        """One that can learn more without this one."""
        other = ProcessSpread(self._pooling)
        other._seen.update({of: list(found) for of, found in self._seen.items()})
        other._kinds.update({of: list(found) for of, found in self._kinds.items()})
        return other

    def learn(self, bytes_moved: int, arms: Sequence[tuple[str, bool, Rounds]]) -> list[list[Difference]]:
        """Add what the arms of an experiment show: of each its backend, whether it is parallel, and its rounds.

        Returns the differences between processes of each, one fewer than processes, what its kind shares taken off;
        none where an arm has one process, or is alone of its kind.
        """
        self._known.clear()
        own: list[list[Difference]] = [[] for _ in arms]
        shared: dict[bool, Rounds] = {}
        for kind in (False, True):
            mine = [i for i, (_, parallel, _) in enumerate(arms) if parallel is kind]
            shared[kind], beside = apart([arms[i][2] for i in mine])
            for i, rounds in zip(mine, beside, strict=True):
                own[i] = _contrasts(rounds)
        serial, parallel = shared[False], shared[True]
        both = {place: times / parallel[place] for place, times in serial.items() if place in parallel}
        self._kinds[_kinds_class(bytes_moved)].extend(  # of two kinds: half of the variance is each one's
            Difference(each.log_ratio / math.sqrt(2), each.variance / 2) for each in _contrasts(both)
        )
        for (backend, _, _), found in zip(arms, own, strict=True):
            self._seen[size_class(backend, bytes_moved)].extend(found)
        return own

    def spread(self, backend: str, bytes_moved: int, own: Sequence[Difference] = ()) -> Spread:
        """Of an arm of that backend, whose `own` differences may be larger than those of its class."""
        pooled, df = self._pooled(self._seen, size_class(backend, bytes_moved))
        if own and self._pooling.own:
            excess = sum(max(each.log_ratio**2 - each.variance, 0.0) / 2 for each in own) / len(own)
            pooled = (df * pooled + len(own) * excess) / (df + len(own)) if excess > pooled else pooled
        kinds, _ = self._pooled(self._kinds, _kinds_class(bytes_moved))
        return Spread(math.sqrt(pooled), df, math.sqrt(kinds))

    def _pooled(self, seen: Mapping[Class, Sequence[Difference]], of: Class) -> tuple[float, float]:
        if of not in self._known:
            self._known[of] = _pooled(seen, of, self._pooling)
        return self._known[of]


def _contrasts(rounds: Rounds) -> list[Difference]:
    """One fewer than processes: each process beside the mean of those before (Helmert), scaled as a difference of two.

    Processes that are not known well enough are left out.
    """
    processes = sorted({process for process, _ in rounds})
    each = [alone({place: s for place, s in rounds.items() if place[0] == process}) for process in processes]
    known = [found for found in each if found is not None and math.isfinite(found.se)]
    found = []
    for count in range(1, len(known)):
        before, scale = known[:count], 2 * count / (count + 1)
        away = known[count].log_ratio - sum(pair.log_ratio for pair in before) / count
        variance = known[count].se ** 2 + sum(pair.se**2 for pair in before) / count**2
        found.append(Difference(away * math.sqrt(scale), variance * scale))
    return found


def _pooled(seen: Mapping[Class, Sequence[Difference]], of: Class, pooling: Pooling) -> tuple[float, float]:
    """The variance of a class and its degrees of freedom."""
    weighed = _weighed(seen, of, pooling.others)
    if not weighed:
        return _AT_FIRST**2, AT_FIRST_DF
    return _posterior(weighed, pooling), min(sum(weight for _, weight in weighed), pooling.most_df)


def _weighed(
    seen: Mapping[Class, Sequence[Difference]], of: Class, others: float
) -> list[tuple[Difference, float]]:
    """All differences, each with how many pairs it counts for in that class."""
    alike = [each for name, some in seen.items() if name != of and name[1] == of[1] for each in some]
    rest = [each for name, some in seen.items() if name[1] != of[1] for each in some]
    weighed = [(each, 1.0) for each in seen.get(of, ())]
    for some in (alike, rest):
        if some and others:
            share = min(others / len(some), 1.0)
            weighed += [(each, share) for each in some]
            others = max(others - len(some), 0.0)
    return weighed


def _posterior(weighed: Sequence[tuple[Difference, float]], pooling: Pooling) -> float:
    """The mean of a process's variance: two of them make each difference.  Its deviation's log has a flat prior."""
    seen, weights = [each for each, _ in weighed], np.array([weight for _, weight in weighed])
    sds = np.geomspace(_LEAST, pooling.most, _STEPS)
    squares = np.array([each.log_ratio**2 for each in seen])
    total = 2 * sds[:, None] ** 2 + np.maximum([each.variance for each in seen], 1e-12)
    logs = -0.5 * (weights * (np.log(total) + _surprise(squares / total, pooling.tails))).sum(axis=1)
    likely = np.exp(logs - logs.max())
    found = float((likely * sds**2).sum() / likely.sum())
    return (
        found if math.isinf(pooling.tails) else found * pooling.tails / (pooling.tails - 2)
    )  # t's own variance


def _surprise(squares: npt.NDArray[np.float64], tails: float) -> npt.NDArray[np.float64]:
    """Twice the log density that Student's t loses at so many deviations, whose squares these are."""
    return squares if math.isinf(tails) else (tails + 1) * np.log1p(squares / tails)
