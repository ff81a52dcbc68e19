"""How much rounds vary, learnt from all pairs of an experiment.

Few rounds of a pair tell little of how much they vary, and Student's t then asks for a large difference.  The pairs of
an experiment are measured in the same rounds, so their variances are alike: each is drawn towards what they have in
common, the more the fewer its own rounds and the more alike all of them are (a moderated variance: Smyth, Stat. Appl.
Genet. Mol. Biol. 3, 2004, whose estimates of the prior these are).
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import TypeVar

import numpy as np
from scipy.special import digamma, polygamma  # type: ignore[import-untyped]  # it carries no type hints

from bench.stats.verdicts import Pair, Rounds, pair_of

__all__ = ["UNKNOWN", "RoundVariance", "each_beside", "in_common", "moderated", "round_variance"]

T = TypeVar("T")

_FEWEST = 3
"""Pairs that say how alike variances are."""
_MOST_DF = 4.0
"""Degrees of freedom of what pairs have in common, however alike they are: they share rounds."""
_LEAST = 1e-10
"""The smallest variance of a log ratio that matters: a hundred-thousandth, squared."""
_ALIKE = 1e-3
"""Logs of variances that differ by no more than this, squared, are alike."""
_STEPS = 50


@dataclass(frozen=True, slots=True)
class RoundVariance:
    """What variances of one round's log ratio have in common: a scaled inverse chi-square distribution."""

    variance: float
    df: float
    """0: nothing is known."""


UNKNOWN = RoundVariance(1.0, 0.0)


def round_variance(pairs: Iterable[Pair]) -> RoundVariance:
    """What the rounds of these pairs have in common; `UNKNOWN` of fewer than three."""
    known = [pair for pair in pairs if math.isfinite(pair.se)]
    if len(known) < _FEWEST:
        return UNKNOWN
    half = np.array([pair.df for pair in known]) / 2
    logs = (
        np.log(np.maximum([pair.se**2 * pair.rounds for pair in known], _LEAST))
        - digamma(half)
        + np.log(half)
    )
    apart = float(logs.var(ddof=1) - polygamma(1, half).mean())  # beyond what so few rounds explain
    middle, likeness = float(logs.mean()), _inverse_trigamma(max(apart, _ALIKE))
    return RoundVariance(
        math.exp(middle + float(digamma(likeness)) - math.log(likeness)), min(2 * likeness, _MOST_DF)
    )


def each_beside(ranked: Sequence[T], others: Iterable[T]) -> list[tuple[T, T]]:
    """The pairs that a run asks about: each ranked arm beside the baseline and beside the leader, the `others`."""
    kept = {id(other): other for other in others}
    return [(one, other) for other in kept.values() for one in ranked if one is not other]


def in_common(asked: Iterable[tuple[Rounds, Rounds]]) -> RoundVariance:
    """What the pairs of an experiment that are asked about have in common, by the rounds of each two."""
    pairs = (pair_of(one, other) for one, other in asked)
    return round_variance(pair for pair in pairs if pair is not None)


def moderated(pair: Pair, common: RoundVariance) -> Pair:
    """`pair` with its error, and how well that is known, drawn towards what all pairs have in common."""
    if common.df == 0:
        return pair
    if not math.isfinite(pair.se):
        return replace(pair, se=math.sqrt(common.variance / pair.rounds), df=common.df)
    df = common.df + pair.df
    variance = (common.df * common.variance / pair.rounds + pair.df * pair.se**2) / df
    return replace(pair, se=math.sqrt(variance), df=df)


def _inverse_trigamma(value: float) -> float:
    """Newton's steps, which rise to it from below (Smyth 2004, appendix)."""
    x = 0.5 + 1 / value
    for _ in range(_STEPS):
        slope = float(polygamma(1, x))
        step = slope * (1 - slope / value) / float(polygamma(2, x))
        x += step
        if abs(step) < 1e-8 * x:
            break
    return x
