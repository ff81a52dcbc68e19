"""How often verdicts were right: rates, intervals that know which pairs hang together, and what is promised."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from bench.stats.significance import rate_interval
from scripts._trust.arms import IDENTICAL, INSTALLED_SLOWED, SLOWED
from scripts._trust.judging import Judged

__all__ = [
    "ENOUGH",
    "QUESTIONS",
    "STEADY",
    "Question",
    "Rate",
    "cluster_names",
    "drawn_clusters",
    "rate",
    "rate_of",
]

ENOUGH = 300
"""Pairs that a rate needs before a promise counts as kept."""
STEADY = 0.01
"""A process's standard deviation up to which identical arms have to be called `same`."""
_RESAMPLES = 1999
"""Enough for the ends of a 95 % interval."""


@dataclass(frozen=True, slots=True)
class Question:
    """A rate that is asked for: of the pairs that `asks` chooses, those that `counts` holds for."""

    text: str
    asks: Callable[[Judged], bool]
    counts: Callable[[Judged], bool]
    at_most: float | None = None
    at_least: float | None = None
    profiles: tuple[str, ...] = ("quick", "standard", "full")
    """Where the bound binds,"""
    hours: tuple[str, ...] = ("calm", "worker")
    """and in which hours."""

    @property
    def bound(self) -> str:
        """What is promised, in words."""
        if self.at_most is not None:
            return f"at most {self.at_most:.0%}"
        return f"at least {self.at_least:.0%}" if self.at_least is not None else ""

    def binds(self, profile: str, hour: str) -> bool:
        """Whether something is promised there."""
        return bool(self.bound) and profile in self.profiles and hour in self.hours

    def kept(self, value: float) -> bool:
        """Whether a rate is as promised."""
        return value <= (1.0 if self.at_most is None else self.at_most) and value >= (self.at_least or 0.0)


def _different(pair: Judged) -> bool:
    return pair.verdict in ("faster", "slower")


def _kind(*kinds: str) -> Callable[[Judged], bool]:
    return lambda pair: pair.kind in kinds


def _word(*words: str) -> Callable[[Judged], bool]:
    return lambda pair: pair.verdict in words


def _steady(pair: Judged) -> bool:
    return pair.kind == IDENTICAL and pair.process_sd <= STEADY


_ALL_HOURS = ("calm", "worker", "busy")
_LONGER = ("standard", "full")
QUESTIONS = (
    Question("identical, called different", _kind(IDENTICAL), _different, at_most=0.01, hours=_ALL_HOURS),
    Question("slowed by 10 %, found", _kind("slower10"), _word("slower"), at_least=0.90),
    Question("slowed by 5 %, called same", _kind("slower5"), _word("same"), at_most=0.01, hours=_ALL_HOURS),
    Question("slowed by 5 %, found", _kind("slower5"), _word("slower"), at_least=0.85, profiles=_LONGER),
    Question(
        f"identical, processes within {STEADY:.0%}, called same",
        _steady,
        _word("same"),
        at_least=0.80,
        profiles=_LONGER,
    ),
    Question("slowed, called faster", _kind(*SLOWED, *INSTALLED_SLOWED), _word("faster")),
)


@dataclass(frozen=True, slots=True)
class Rate:
    """Hits among pairs, with the 95 % interval of their share."""

    hits: int
    of: int
    lo: float
    hi: float

    @property
    def value(self) -> float:
        """The share."""
        return self.hits / self.of


def rate(hits: Sequence[bool], clusters: Sequence[str]) -> Rate | None:
    """The rate of `hits`, where trials of one cluster hang together; None without a trial.

    The interval is the bootstrap's, which draws whole clusters; where it is narrower than Wilson's for independent
    trials, as with no hit at all, that one counts.
    """
    if not hits:
        return None
    found = np.array(hits, float)
    of = np.unique(np.array(clusters), return_inverse=True)[1]
    sums, sizes = np.bincount(of, found), np.bincount(of)
    drawn = drawn_clusters(len(sizes))
    shares = sums[drawn].sum(axis=1) / sizes[drawn].sum(axis=1)
    lo, hi = (float(end) for end in np.quantile(shares, (0.025, 0.975)))
    least, most = rate_interval(int(found.sum()), len(found))
    return Rate(int(found.sum()), len(found), min(lo, least), max(hi, most))


def rate_of(question: Question, judged: Sequence[Judged]) -> Rate | None:
    """The answer; experiments on one backend and size hang together.  None if no pair is asked about."""
    asked = [pair for pair in judged if question.asks(pair)]
    return rate([question.counts(pair) for pair in asked], cluster_names(asked))


def cluster_names(judged: Sequence[Judged]) -> list[str]:
    """Of each pair, what it hangs together with."""
    return [f"{pair.base} {pair.n}" for pair in judged]


def drawn_clusters(count: int) -> NDArray[np.int64]:
    """For a bootstrap: numbers of so many clusters, drawn with replacement, in a row each time."""
    return np.random.default_rng(0).integers(0, count, (_RESAMPLES, count))
