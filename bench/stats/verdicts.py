"""Faster, slower, same or unresolved: what rounds in several processes say of two arms.

Two arms are compared with each other, round by round.  Rounds of one process show how a time varies while that process
lives; processes of the same code differ besides, for as long as they live.  So the error of a ratio has two parts: that
of the rounds, and that of the processes, of which there are few (`bench.stats.process_spread` says how large it is).
An interval therefore speaks for a new process on this machine.

`same` is shown by two one-sided tests (Schuirmann, J. Pharmacokinet. Biopharm. 15, 1987): the ratio is closer to 1 than
was asked for.  Failing to see a difference is not `same`; it is `unresolved`.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.special import stdtrit  # type: ignore[import-untyped]  # it carries no type hints

from bench.stats.estimates import Interval

__all__ = ["RESOLVE", "Pair", "Rounds", "Verdict", "judge", "pair_of"]

Rounds = Mapping[tuple[int, int], float]
"""Seconds per call of the rounds of one arm, by the numbers of the process and of the round."""

RESOLVE = 0.03
"""Arms that differ by less than this fraction are `same`, unless something else is asked for (``--resolve``)."""
_DIFFERENT = 0.995
"""Quantile of Student's t that a difference has to pass: one identical pair in a hundred at most is called different."""
_SAME = 0.95
"""That of each of the two one-sided tests for `same`: one pair in twenty that differs by all of the width."""
_INTERVAL = 0.975
"""Of the 95 % interval that is reported."""
_POWER = 0.8416
"""Standard errors, besides those of the test, by which a difference must exceed to be found in 80 % of the cases."""
_FEWEST_DF = 4.0
"""Degrees of freedom of the error that rounds give, however few there are."""
_RESAMPLES = 499
"""Enough for a standard error within 4 %."""


@dataclass(frozen=True, slots=True)
class Pair:
    """What the rounds of two arms say of the log of their ratio."""

    log_ratio: float
    """Of the first arm's time over the second's: the mean over processes of the median over rounds."""
    se: float
    """Its standard error, as the rounds within the processes tell; inf where a process has one round alone."""
    rounds: int
    """In all processes together."""
    processes: int


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
    logs: dict[int, list[float]] = {}
    for (process, number), seconds in first.items():
        if (process, number) in second:
            logs.setdefault(process, []).append(math.log(seconds / second[process, number]))
    if not logs:
        return None
    samples = [np.array(each) for each in logs.values()]
    variance = sum(_median_se(each) ** 2 for each in samples) / len(samples) ** 2
    value = sum(float(np.median(each)) for each in samples) / len(samples)
    return Pair(value, math.sqrt(variance), sum(map(len, samples)), len(samples))


def judge(pair: Pair, process_variance: float, process_df: float, resolve: float = RESOLVE) -> Verdict:
    """The verdict on the first arm beside the second.

    `process_variance` is that of the log ratio between two processes, one of each arm, known with `process_df` degrees
    of freedom; `resolve` is the fraction within which arms are `same`.
    """
    between = process_variance / pair.processes
    variance = pair.se**2 + between
    se = math.sqrt(variance)
    df = _degrees(pair, between, process_df)
    d, width = pair.log_ratio, math.log1p(resolve)
    if abs(d) + _t(_SAME, df) * se < width:
        word = "same"
    elif abs(d) > _t(_DIFFERENT, df) * se:
        word = "slower" if d > 0 else "faster"
    else:
        word = "unresolved"
    reach = _t(_INTERVAL, df) * se
    rounds, processes = _needed(pair, process_variance, width / (_t(_DIFFERENT, df) + _POWER))
    return Verdict(
        word,
        Interval(math.exp(d), _exp(d - reach), _exp(d + reach)),
        _exp((_t(_DIFFERENT, df) + _POWER) * se) - 1.0,
        rounds,
        processes,
    )


def _needed(pair: Pair, process_variance: float, wanted_se: float) -> tuple[float, int]:
    """Rounds in all with the processes that there are, and processes, for that standard error."""
    left = wanted_se**2 - process_variance / pair.processes
    rounds = pair.rounds * max(pair.se**2 / left, 1.0) if left > 0 else math.inf
    each = pair.se**2 * pair.processes + process_variance
    processes = math.ceil(each / wanted_se**2) if math.isfinite(each) else pair.processes + 1
    return rounds, max(processes, pair.processes)


def _degrees(pair: Pair, between: float, process_df: float) -> float:
    """Of the sum of the two variances (Welch, Biometrika 34, 1947)."""
    if not math.isfinite(pair.se):
        return _FEWEST_DF
    within, rounds_df = pair.se**2, max(pair.rounds / 2, _FEWEST_DF)
    parts = within**2 / rounds_df + between**2 / max(process_df, 1.0)
    return (within + between) ** 2 / parts if parts > 0 else math.inf


def _exp(value: float) -> float:
    """Without an error where it is too large."""
    return math.exp(value) if value < 700 else math.inf


@functools.lru_cache(maxsize=4096)
def _t(quantile: float, df: float) -> float:
    return float(stdtrit(df, quantile))


def _median_se(logs: npt.NDArray[np.float64]) -> float:
    """The standard error of their median, by bootstrap."""
    if len(logs) < 2:
        return math.inf
    return float(np.median(logs[_draws(len(logs))], axis=1).std(ddof=1))


@functools.lru_cache(maxsize=256)
def _draws(size: int) -> npt.NDArray[np.int64]:
    """The places that each resample takes; the same for equal numbers of rounds, so that equal samples stay equal."""
    return np.random.default_rng(size).integers(0, size, (_RESAMPLES, size))
