"""How often verdicts are right where the truth is known, from recorded noise."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from bench.stats.moderation import UNKNOWN, moderated, round_variance
from bench.stats.process_spread import POOLING, Pooling, ProcessSpread, variance_between
from bench.stats.verdicts import RULE, Pair, Rounds, Rule, alone, judge
from scripts._simulate.figures import Figure
from scripts._simulate.noise import Arms, Noise, Sample
from scripts._simulate.recordings import as_rounds

__all__ = ["band_table", "rate_table", "rule_table"]

_ROUNDS = (8, 16, 24, 48)
_TRUTHS = (0.0, 0.05, 0.10)
_RUNS = 3


@dataclass(frozen=True, slots=True)
class _Way:
    """How pairs are judged."""

    rule: Rule = RULE
    pooling: Pooling = POOLING
    moderate: bool = True
    """Whether the pairs of an experiment say of each other how much rounds vary."""


_WAYS: Mapping[str, _Way] = {
    "as it is": _Way(),
    "different: quantile 0.975": _Way(replace(RULE, different=0.975)),
    "different: quantile 0.99": _Way(replace(RULE, different=0.99)),
    "different: quantile 0.9975": _Way(replace(RULE, different=0.9975)),
    "same: quantile 0.90": _Way(replace(RULE, same=0.90)),
    "same: quantile 0.975": _Way(replace(RULE, same=0.975)),
    "each pair by its own rounds": _Way(moderate=False),
    "processes differ normally": _Way(pooling=replace(POOLING, tails=math.inf)),
    "both of these": _Way(pooling=replace(POOLING, tails=math.inf), moderate=False),
    "tails with 4 degrees of freedom": _Way(pooling=replace(POOLING, tails=4.0)),
    "processes differ by 5 % at most": _Way(pooling=replace(POOLING, most=0.05)),
    "4 degrees of freedom at most": _Way(pooling=replace(POOLING, most_df=4.0)),
    "6 degrees of freedom at most": _Way(pooling=replace(POOLING, most_df=6.0)),
    "12 degrees of freedom at most": _Way(pooling=replace(POOLING, most_df=12.0)),
    "30 degrees of freedom at most": _Way(pooling=replace(POOLING, most_df=30.0)),
    "nothing known of other backends": _Way(pooling=replace(POOLING, others=0.0)),
    "other backends count like 6 pairs": _Way(pooling=replace(POOLING, others=6.0)),
    "no variance of an arm's own": _Way(pooling=replace(POOLING, own=False)),
    "processes as if they were alike": _Way(pooling=replace(POOLING, most=0.0011)),
}
_BANDS = (0.01, 0.02, 0.04, 0.08, math.inf)
"""Upper ends of bands of the standard deviation of one round's log ratio."""


@dataclass(frozen=True, slots=True)
class _Measured:
    """An experiment's arms, each with its rounds, and their pairs."""

    arms: Arms
    rounds: Sequence[Rounds]
    pairs: Sequence[tuple[int, int, Pair]]


@dataclass(frozen=True, slots=True)
class _Judged:
    """A pair of identical arms, and what `judge` is told of their processes."""

    pair: Pair
    variance: float
    df: float

    @property
    def sd(self) -> float:
        """Of the log ratio of one round."""
        return self.pair.se * math.sqrt(self.pair.rounds / (math.pi / 2))


def rate_table(name: str, noise: Noise) -> Iterator[Figure]:
    """Rates under the suite's rule, by the number of rounds in two processes; in per cent."""
    for rounds in _ROUNDS:
        yield from _figures(name, f"{rounds} rounds", _judged(_runs(noise, rounds), _Way()))


def band_table(name: str, noise: Noise, rounds: int) -> Iterator[Figure]:
    """The same by how much one round's ratio varies."""
    judged = _judged(_runs(noise, rounds), _Way())
    for low, high in zip((0.0, *_BANDS), _BANDS, strict=False):
        some = [each for each in judged if low < each.sd <= high]
        if some:
            words = f"{100 * low:g} to {100 * high:g} %" if high < math.inf else f"above {100 * low:g} %"
            yield from _figures(name, words, some)


def rule_table(name: str, noise: Noise, rounds: int) -> Iterator[Figure]:
    """Rates under other rules, on the same rounds."""
    runs = _runs(noise, rounds)
    for words, way in _WAYS.items():
        yield from _figures(name, words, _judged(runs, way), way.rule)


def _figures(table: str, row: str, judged: Sequence[_Judged], rule: Rule = RULE) -> Iterator[Figure]:
    words = {truth: [_word(each, truth, rule) for each in judged] for truth in _TRUTHS}

    def share(truth: float, *wanted: str) -> float:
        return 100 * sum(word in wanted for word in words[truth]) / len(judged)

    yield Figure(table, row, "pairs", len(judged), 0)
    yield Figure(table, row, "equal: different", share(0.0, "faster", "slower"))
    yield Figure(table, row, "equal: same", share(0.0, "same"))
    yield Figure(table, row, "5 %: found", share(0.05, "slower"))
    yield Figure(table, row, "5 %: same", share(0.05, "same"))
    yield Figure(table, row, "10 %: found", share(0.10, "slower"))


def _word(each: _Judged, truth: float, rule: Rule) -> str:
    pair = replace(each.pair, log_ratio=each.pair.log_ratio + math.log1p(truth))
    return judge(pair, each.variance, each.df, rule=rule).word


def _runs(noise: Noise, rounds: int, processes: int = 2) -> list[list[_Measured]]:
    rng = np.random.default_rng(rounds)
    return [[_measured(sample) for sample in noise.run(rng, rounds, processes)] for _ in range(_RUNS)]


def _measured(sample: Sample) -> _Measured:
    arms = range(len(sample.arms.backends))
    pairs = []
    for one, visits in zip(sample.arms.against, sample.paired, strict=True):
        for arm in arms:
            pair = alone(as_rounds([visit[arm] for visit in visits]))
            if pair is not None and sample.arms.ranked[arm] and arm != one:
                pairs.append((arm, one, pair))
    return _Measured(sample.arms, [as_rounds([visit[arm] for visit in sample.alone]) for arm in arms], pairs)


def _judged(runs: Sequence[Sequence[_Measured]], way: _Way) -> list[_Judged]:
    """All pairs of some runs, with what all processes of their run show."""
    judged = []
    for run in runs:
        spread = ProcessSpread(way.pooling)
        own = [
            spread.learn(
                one.arms.bytes_moved, list(zip(one.arms.backends, one.arms.parallel, one.rounds, strict=True))
            )
            for one in run
        ]
        for one, found in zip(run, own, strict=True):
            of = [
                spread.spread(backend, one.arms.bytes_moved, each)
                for backend, each in zip(one.arms.backends, found, strict=True)
            ]
            kinds = one.arms.parallel
            common = round_variance(pair for *_, pair in one.pairs) if way.moderate else UNKNOWN
            for arm, other, pair in one.pairs:
                variance, df = variance_between(of[arm], of[other], alike=kinds[arm] is kinds[other])
                judged.append(_Judged(moderated(pair, common), variance, df))
    return judged
