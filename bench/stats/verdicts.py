"""Faster, slower, same or unresolved: what rounds in several processes say of two arms.

Two arms are compared with each other, round by round.  Rounds of one process show how a time varies while that process
lives; processes of the same code differ besides, for as long as they live.  So the error of a ratio has two parts: that
of the rounds, and that of the processes, of which there are few (`bench.stats.process_spread` says how large it is).
An interval therefore speaks for a new process on this machine.  A process of few rounds tells less of the arm than one
of many, and counts for less: most of what four rounds say is chance.

`same` is shown by two one-sided tests (Schuirmann, J. Pharmacokinet. Biopharm. 15, 1987): the ratio is closer to 1 than
was asked for.  Failing to see a difference is not `same`; it is `unresolved`.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from scipy.special import stdtrit  # type: ignore[import-untyped]  # it carries no type hints

from bench.stats.estimates import Interval, centre

__all__ = [
    "RESOLVE",
    "RULE",
    "Pair",
    "Rounds",
    "Rule",
    "Verdict",
    "alone",
    "interval_of",
    "judge",
    "pair_of",
    "time_interval",
    "time_of",
]

Rounds = Mapping[tuple[int, int], float]
"""Seconds per call of the rounds of one arm, by the numbers of the process and of the round."""

RESOLVE = 0.03
"""Arms that differ by less than this fraction are `same`, unless something else is asked for (``--resolve``)."""
_AS_MUCH = 16.0
"""Rounds of a process whose error is as large as what processes differ by: rounds of a pair vary by some 8 %, processes
by 2 %.  With so many a process counts half as much as one with no end of them."""
_INTERVAL = 0.975
"""Of the 95 % interval that is reported."""
_NOT_KNOWN = 10.0
"""A time of which not even this factor is known has no interval: Student's t makes hours of four rounds that differ."""
_POWER = 0.8416
"""Standard errors, besides those of the test, by which a difference must exceed to be found in 80 % of the cases."""


@dataclass(frozen=True, slots=True)
class Rule:
    """Quantiles of Student's t; scripts/simulate.py has the rates under these and others."""

    different: float = 0.995
    """What a difference has to pass: of identical pairs one in a hundred does."""
    same: float = 0.95
    """Of each of the two one-sided tests for `same`: one pair in twenty that differs by all of the width."""


RULE = Rule()


@dataclass(frozen=True, slots=True)
class Pair:
    """What rounds say of the log of a ratio of two arms, or of one arm's seconds."""

    log_ratio: float
    """Of one time over the other, or over a second: the mean over processes, each by its weight, of the trimmed mean
    over rounds."""
    se: float
    """Its standard error, as the rounds within the processes tell; inf where a process has one round alone."""
    rounds: int
    """In all processes together."""
    processes: int
    df: float
    """Degrees of freedom of the error."""
    worth: float
    """How many processes of the same weight would vary as little in the mean: at most `processes`."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """What is known of two arms."""

    word: str
    """One of `bench.records.schema.VERDICTS`, of the first arm."""
    ratio: Interval
    """The first arm's time over the second's, with its 95 % interval for a new process."""
    noise_floor: float
    """The smallest difference, as a fraction, that would have been seen in 80 % of the cases."""
    rounds: float
    """Rounds in all that it takes to resolve the pair with as many processes as it has; inf: no number is enough."""
    processes: int
    """Processes that it takes, each with as many rounds as now or more."""


def pair_of(first: Rounds, second: Rounds) -> Pair | None:
    """The two arms round by round; None without a round that both have."""
    return alone({place: seconds / second[place] for place, seconds in first.items() if place in second})


def alone(rounds: Rounds) -> Pair | None:
    """One arm by itself, or the ratios of two; None without a round."""
    logs = _by_process(rounds)
    if not logs:
        return None
    values, variances = map(np.array, zip(*(centre(np.array(each)) for each in logs), strict=True))
    weights = np.array([len(each) / (len(each) + _AS_MUCH) for each in logs])
    weights /= weights.sum()
    squares = weights**2
    # The middle half of the rounds of each process, less one, tells the error of its trimmed mean.
    df = max(len(rounds) / 2 - len(logs), 1.0)
    se = math.sqrt(float(squares @ variances))
    return Pair(float(weights @ values), se, len(rounds), len(logs), df, 1 / float(squares.sum()))


def time_of(rounds: Rounds) -> float:
    """Seconds per call, as `Pair.log_ratio` has them.  There is at least one round."""
    found = alone(rounds)
    assert found is not None, "there is a round"
    return math.exp(found.log_ratio)


def _by_process(rounds: Rounds) -> list[list[float]]:
    logs: dict[int, list[float]] = {}
    for (process, _), seconds in rounds.items():
        logs.setdefault(process, []).append(math.log(seconds))
    return list(logs.values())


def interval_of(pair: Pair, process_variance: float, process_df: float) -> Interval:
    """The ratio, or the seconds, with the 95 % interval for a new process; see `judge`."""
    between = process_variance / pair.worth
    reach = _t(_INTERVAL, _degrees(pair, between, process_df)) * math.sqrt(pair.se**2 + between)
    d = pair.log_ratio
    return Interval(math.exp(d), _exp(d - reach), _exp(d + reach))


def time_interval(pair: Pair, process_variance: float, process_df: float) -> Interval:
    """As `interval_of`, of the seconds of one arm `alone`; from 0 to inf where they are as good as not known."""
    found = interval_of(pair, process_variance, process_df)
    return found if found.hi <= _NOT_KNOWN * found.value else Interval(found.value, 0.0, math.inf)


def judge(
    pair: Pair, process_variance: float, process_df: float, resolve: float = RESOLVE, rule: Rule = RULE
) -> Verdict:
    """The verdict on the first arm beside the second.

    `process_variance` is that of the log ratio between two processes, one of each arm, known with `process_df` degrees
    of freedom; `resolve` is the fraction within which arms are `same`.
    """
    between = process_variance / pair.worth
    variance = pair.se**2 + between
    se = math.sqrt(variance)
    df = _degrees(pair, between, process_df)
    d, width = pair.log_ratio, math.log1p(resolve)
    passed = _t(rule.different, df)
    if abs(d) + _t(rule.same, df) * se < width:
        word = "same"
    elif abs(d) > passed * se:
        word = "slower" if d > 0 else "faster"
    else:
        word = "unresolved"
    rounds, processes = _needed(pair, process_variance, width / (passed + _POWER))
    return Verdict(
        word,
        interval_of(pair, process_variance, process_df),
        _exp((passed + _POWER) * se) - 1.0,
        rounds,
        processes,
    )


def _needed(pair: Pair, process_variance: float, wanted_se: float) -> tuple[float, int]:
    """Rounds in all with the processes that there are, and processes, for that standard error."""
    left = wanted_se**2 - process_variance / pair.worth
    rounds = pair.rounds * max(pair.se**2 / left, 1.0) if left > 0 else math.inf
    each = pair.se**2 * pair.processes + process_variance
    processes = math.ceil(each / wanted_se**2) if math.isfinite(each) else pair.processes + 1
    return rounds, max(processes, pair.processes)


def _degrees(pair: Pair, between: float, process_df: float) -> float:
    """Of the sum of the two variances (Welch, Biometrika 34, 1947)."""
    if not math.isfinite(pair.se):
        return 1.0
    within = pair.se**2
    parts = within**2 / pair.df + between**2 / max(process_df, 1.0)
    return (within + between) ** 2 / parts if parts > 0 else math.inf


def _exp(value: float) -> float:
    """Without an error where it is too large."""
    return math.exp(value) if value < 700 else math.inf


@functools.lru_cache(maxsize=4096)
def _t(quantile: float, df: float) -> float:
    return float(stdtrit(df, quantile))
