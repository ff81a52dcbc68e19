"""Variances of rounds that pairs share with each other, on samples whose truth is known."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest

from bench.stats.moderation import UNKNOWN, RoundVariance, moderated, round_variance
from bench.stats.verdicts import Pair, alone, judge

Rounds = dict[tuple[int, int], float]


def pairs(sds: list[float], rounds: int = 5, seed: int = 1, ratio: float = 1.0) -> list[Pair]:
    """One for each standard deviation of a round, measured in two processes that do not differ."""
    rng = np.random.default_rng(seed)
    found = []
    for sd in sds:
        mine = {(p, n): ratio * math.exp(rng.normal(0.0, sd)) for p in (1, 2) for n in range(rounds)}
        pair = alone(mine)
        assert pair is not None
        found.append(pair)
    return found


def test_pairs_that_vary_alike_say_so() -> None:
    found = round_variance(pairs([0.03] * 40))
    assert math.sqrt(found.variance) == pytest.approx(0.03 * math.sqrt(math.pi / 2), rel=0.25)
    assert found.df > 3


def test_pairs_that_vary_unlike_each_other_have_little_in_common() -> None:
    """Then each keeps its own."""
    unlike = pairs([0.001, 0.1, 0.003, 0.03, 0.01, 0.3, 0.002, 0.2], rounds=40)
    found = round_variance(unlike)
    assert found.df < 2
    for pair in unlike:
        assert moderated(pair, found).se == pytest.approx(pair.se, rel=0.5)


def test_a_pair_is_drawn_towards_the_others_and_known_better() -> None:
    common = RoundVariance(0.03**2, 8.0)
    for sd in (0.01, 0.09):
        pair = pairs([sd])[0]
        found = moderated(pair, common)
        its_own, shared = pair.se * math.sqrt(pair.rounds), 0.03
        assert min(its_own, shared) < found.se * math.sqrt(pair.rounds) < max(its_own, shared)
        assert found.df == pair.df + 8.0
        assert found.log_ratio == pair.log_ratio


def test_with_many_rounds_a_pair_speaks_for_itself() -> None:
    pair = pairs([0.01], rounds=400)[0]
    assert moderated(pair, RoundVariance(0.03**2, 8.0)).se == pytest.approx(pair.se, rel=0.1)


def test_a_pair_with_one_round_a_process_has_the_others_error() -> None:
    lone = alone({(1, 0): 1.0, (2, 0): 1.1})
    assert lone is not None
    found = moderated(lone, RoundVariance(0.03**2, 6.0))
    assert found.se == pytest.approx(0.03 / math.sqrt(2))
    assert found.df == 6.0


def test_too_few_pairs_say_nothing() -> None:
    two = pairs([0.03, 0.03])
    assert round_variance(two) == UNKNOWN
    assert moderated(two[0], UNKNOWN) == two[0]
    assert round_variance([replace(each, se=math.inf) for each in two * 3]) == UNKNOWN


@pytest.mark.parametrize("sd", [0.0, 1e-12])
def test_rounds_that_are_all_alike_are_no_error(sd: float) -> None:
    found = round_variance(pairs([sd] * 5))
    assert 0 < found.variance < 1e-8
    assert math.isfinite(moderated(pairs([sd])[0], found).se)


def test_more_slow_downs_are_found_and_no_more_are_made_up() -> None:
    """Experiments of seven pairs with five rounds in each of two processes, which do not differ."""

    def found(ratio: float, *, moderate: bool) -> float:
        words = []
        for seed in range(150):
            some = pairs([0.03] * 7, seed=seed, ratio=ratio)
            common = round_variance(some) if moderate else UNKNOWN
            words += [judge(moderated(each, common), 1e-6, 8.0).word for each in some]
        return sum(word in ("faster", "slower") for word in words) / len(words)

    assert found(1.06, moderate=True) > found(1.06, moderate=False) + 0.15
    assert found(1.0, moderate=True) < 0.015
