"""The four words on samples with known answers, and how often they are wrong on samples with a known truth."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest

from bench.stats.estimates import Interval
from bench.stats.verdicts import (
    RESOLVE,
    Pair,
    Rule,
    alone,
    interval_of,
    judge,
    pair_of,
    time_interval,
    time_of,
)

Rounds = dict[tuple[int, int], float]
MANY_DF = 1000.0


def rounds(*processes: list[float]) -> Rounds:
    return {(p, n): value for p, values in enumerate(processes, 1) for n, value in enumerate(values)}


def pair(difference: float, se: float, count: int = 400) -> Pair:
    """So many rounds that Student's t is the normal distribution, for short."""
    return Pair(math.log1p(difference), se, count, 2, max(count / 2 - 2, 1.0), 2.0)


def word(difference: float, se: float, process_sd: float = 0.0, resolve: float = RESOLVE) -> str:
    return judge(pair(difference, se), process_sd**2, MANY_DF, resolve).word


@pytest.mark.parametrize(
    ("difference", "se", "expected"),
    [
        (0.10, 0.01, "slower"),
        (-0.10, 0.01, "faster"),
        (0.10, 0.05, "unresolved"),
        (0.00, 0.01, "same"),
        (0.00, 0.03, "unresolved"),
        (0.02, 0.001, "same"),
        (0.04, 0.001, "slower"),
    ],
)
def test_the_word_of_a_difference_and_its_error(difference: float, se: float, expected: str) -> None:
    assert word(difference, se) == expected


def test_what_processes_differ_by_is_part_of_the_error() -> None:
    assert word(0.10, 0.01) == "slower"
    assert word(0.10, 0.01, process_sd=0.08) == "unresolved"
    assert word(0.00, 0.005) == "same"
    assert word(0.00, 0.005, process_sd=0.03) == "unresolved"


def test_a_wider_resolve_makes_more_pairs_the_same() -> None:
    assert word(0.04, 0.005) == "slower"
    assert word(0.04, 0.005, resolve=0.10) == "same"


def test_processes_known_from_few_pairs_count_with_wider_tails() -> None:
    told = [judge(pair(0.10, 0.001), 0.035**2, df).word for df in (MANY_DF, 3.0)]
    assert told == ["slower", "unresolved"]


def test_a_quantile_of_the_rule_decides() -> None:
    assert judge(pair(0.0265, 0.01), 0.0, MANY_DF, 0.01).word == "slower"
    assert judge(pair(0.0265, 0.01), 0.0, MANY_DF, 0.01, Rule(different=0.9999)).word == "unresolved"


def test_exchanging_the_arms_turns_everything_round() -> None:
    rng = np.random.default_rng(1)
    for difference in (0.0, 0.02, 0.2):
        one = rounds(*np.exp(rng.normal(0.0, 0.02, (2, 12))).tolist())
        other = rounds(*np.exp(rng.normal(difference, 0.02, (2, 12))).tolist())
        forth, back = pair_of(one, other), pair_of(other, one)
        assert forth is not None
        assert back is not None
        assert forth.log_ratio == pytest.approx(-back.log_ratio)
        assert forth.se == pytest.approx(back.se)
        there, here = judge(forth, 1e-4, 8.0), judge(back, 1e-4, 8.0)
        assert {"faster": "slower", "slower": "faster"}.get(there.word, there.word) == here.word
        assert there.ratio.lo == pytest.approx(1 / here.ratio.hi)
        assert there.noise_floor == pytest.approx(here.noise_floor)


def test_only_rounds_that_both_have_are_paired_and_drift_cancels() -> None:
    one = rounds([1.0, 2.0, 4.0, 8.0], [3.0, 6.0])
    other = {place: 2 * seconds for place, seconds in one.items() if place != (1, 3)}
    found = pair_of(one, other)
    weights = 3 / 19, 2 / 18
    worth = sum(weights) ** 2 / sum(each**2 for each in weights)
    told = pytest.approx(-math.log(2)), pytest.approx(0.0, abs=1e-9), 5, 2, 1.0, pytest.approx(worth)
    assert found == Pair(*told)  # type: ignore[arg-type]
    assert pair_of(one, {(9, 9): 1.0}) is None


def test_processes_of_as_many_rounds_count_alike_and_one_of_few_rounds_for_less() -> None:
    assert time_of(rounds([1.0] * 9, [4.0] * 9)) == pytest.approx(2.0)
    found = alone(rounds([1.0] * 16, [4.0] * 4))
    assert found is not None
    assert found.log_ratio == pytest.approx(math.log(4.0) * 0.2 / 0.7)
    assert found.worth == pytest.approx(0.49 / 0.29)


def test_few_rounds_in_one_process_do_not_spoil_the_ratio() -> None:
    rng = np.random.default_rng(8)
    errors, alike = [], []
    for _ in range(400):
        runs = [rng.normal(rng.normal(0.0, 0.02), 0.08, count) for count in (4, 60, 60)]
        found = alone(rounds(*(np.exp(run).tolist() for run in runs)))
        assert found is not None
        errors.append(found.log_ratio)
        alike.append(np.mean([run.mean() for run in runs]))
    assert np.std(errors) < 0.92 * np.std(alike)


def test_what_processes_differ_by_is_evened_out_by_their_weights_not_their_number() -> None:
    even, uneven = pair(0.0, 1e-9, 100), replace(pair(0.0, 1e-9, 100), worth=1.25)
    for each in (even, uneven):
        interval = interval_of(each, 0.02**2, MANY_DF)
        assert math.log(interval.hi) == pytest.approx(1.96 * 0.02 / math.sqrt(each.worth), rel=0.01)
        told = judge(each, 0.02**2, MANY_DF)
        assert math.log1p(told.noise_floor) == pytest.approx(3.42 * 0.02 / math.sqrt(each.worth), rel=0.01)


def test_one_round_alone_says_nothing_of_its_error() -> None:
    lone = alone(rounds([1.0], [1.0, 1.1]))
    assert lone is not None
    assert lone.se == math.inf
    told = judge(lone, 0.0, MANY_DF)
    assert told.word == "unresolved"
    assert told.noise_floor == math.inf
    assert told.rounds == math.inf


def test_more_rounds_help_only_where_the_rounds_are_what_is_unknown() -> None:
    noisy = judge(pair(0.01, 0.03, 16), 0.002**2, MANY_DF)
    assert 16 < noisy.rounds < math.inf
    limited = judge(pair(0.01, 0.001, 16), 0.03**2, MANY_DF)
    assert limited.rounds == math.inf
    assert limited.processes > 2


def test_so_many_rounds_as_it_says_do_resolve_it() -> None:
    told = judge(pair(0.0, 0.02, 100), 0.0, MANY_DF)
    later = pair(0.0, 0.02 * math.sqrt(100 / told.rounds), round(told.rounds))
    assert told.word == "unresolved"
    assert judge(later, 0.0, MANY_DF).word == "same"


def draws(ratio: float, process_sd: float, round_sd: float, count: int, seed: int) -> list[Pair]:
    rng = np.random.default_rng(seed)
    found = []
    for _ in range(count):
        offsets = rng.normal(math.log(ratio), process_sd, (2, 1))
        each = alone(rounds(*np.exp(offsets + rng.normal(0.0, round_sd, (2, 10))).tolist()))
        assert each is not None
        found.append(each)
    return found


@pytest.mark.parametrize("process_sd", [0.0, 0.01, 0.05])
def test_identical_arms_are_called_different_once_in_a_hundred_at_most(process_sd: float) -> None:
    words = [judge(each, process_sd**2, 12.0).word for each in draws(1.0, process_sd, 0.03, 1500, seed=2)]
    assert sum(each in ("faster", "slower") for each in words) <= 0.018 * len(
        words
    )  # 0.01 and 3 standard errors


def test_a_tenth_is_found_and_hardly_ever_called_the_same() -> None:
    words = [judge(each, 0.005**2, 12.0).word for each in draws(1.1, 0.005, 0.03, 600, seed=3)]
    assert words.count("slower") >= 0.9 * len(words)
    assert "faster" not in words
    on_the_edge = [judge(each, 0.005**2, 12.0).word for each in draws(1.03, 0.005, 0.01, 1500, seed=4)]
    assert on_the_edge.count("same") <= 0.067 * len(on_the_edge)  # 0.05 and 3 standard errors


def test_the_interval_holds_the_truth_19_times_in_20() -> None:
    intervals = [interval_of(each, 0.02**2, 12.0) for each in draws(1.0, 0.02, 0.02, 1500, seed=5)]
    assert sum(each.lo <= 1.0 <= each.hi for each in intervals) / len(intervals) >= 0.933


@pytest.mark.parametrize(("slowest", "known"), [(1.1, True), (3.0, False)])
def test_a_time_of_which_no_factor_of_ten_is_known_has_no_interval(slowest: float, known: bool) -> None:
    """Four rounds have one degree of freedom: if two of them are three times as long, t reaches to hours."""
    found = alone(rounds([1.0, 1.0, slowest, slowest]))
    assert found is not None
    plain, told = interval_of(found, 1e-4, 4.0), time_interval(found, 1e-4, 4.0)
    assert (plain.hi < 10 * plain.value) == known
    assert told == (plain if known else Interval(plain.value, 0.0, math.inf))
