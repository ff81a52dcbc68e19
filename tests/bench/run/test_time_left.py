"""How long a visit takes is foreseen from what was seen: of the same experiment, and of those of a like size."""

from __future__ import annotations

import pytest

from bench.plan.cold_caches import Compiling
from bench.plan.experiments import Arm, Experiment, weight
from bench.run.time_left import Pace, Took
from kernels.api import Case

ARMS = (Arm("a"),)
SMALL = [Experiment(Case("relu", n=n), ARMS) for n in range(64, 72)]
LARGE = [Experiment(Case("relu", n=n), ARMS) for n in range(1 << 24, (1 << 24) + 4)]


def paced(*, limited: bool = False) -> Pace:
    """A run whose small experiments were all visited once, in 2 s each."""
    pace = Pace()
    for experiment in SMALL:
        pace.visited((experiment, 1), Took(1.8, 0.3, 0.2, limited=limited))
    return pace


def test_second_visits_take_as_long_as_the_first_until_they_are_seen_to_be_shorter() -> None:
    pace, again = paced(), (SMALL[7], 2)
    assert pace.beside_s(again) == pytest.approx(0.2)
    assert pace.rounds_s(again, 10.0) == pytest.approx(1.8, rel=0.01)
    for experiment in SMALL[:6]:
        pace.visited((experiment, 2), Took(0.9, 0.3, 0.1))
    assert 0.1 < pace.beside_s(again) < 0.13
    assert 0.9 < pace.rounds_s(again, 10.0) < 1.4


def test_what_the_first_visit_in_new_processes_takes_is_no_rule_for_those_after_it() -> None:
    """It pays for what is done once: threads are started, compiled code is loaded."""
    pace = Pace()
    for process in (1, 2):
        pace.visited((SMALL[0], process), Took(1.8, 0.3, 6.0))
        pace.visited((SMALL[1], process), Took(1.8, 0.3, 0.2))
        assert pace.beside_s((SMALL[2], process)) < 0.4
        assert pace.beside_s((SMALL[0], process + 1)) == pytest.approx(6.0, rel=0.1)


def test_those_never_visited_take_what_their_weight_says() -> None:
    share = weight(LARGE[0]) / weight(SMALL[0])
    pace, visit = paced(), (LARGE[0], 1)
    assert share < pace.beside_s(visit) / 0.2 < 3 * share  # each byte is looked at
    assert pace.least_s(visit) == pytest.approx(0.3 * share, rel=0.01)
    assert pace.rounds_s(visit, 100.0) == pytest.approx(1.8 * share, rel=0.01)


def test_a_like_size_tells_more_than_another_one() -> None:
    pace = paced()
    for experiment in LARGE[:2]:
        pace.visited((experiment, 1), Took(1.0, 0.3, 6.0))
    assert pace.beside_s((LARGE[2], 1)) == pytest.approx(6.0, rel=0.1)
    assert pace.beside_s((SMALL[0], 1)) < 1.0


def test_cold_cases_tell_nothing_of_hot_ones() -> None:
    """Where caches are large, preparing and each batch of a cold case take many times as long."""
    pace = paced()
    cold = [Experiment(Case("relu", n=n, cache="cold"), ARMS) for n in range(64, 111)]
    for experiment in cold[:-1]:
        pace.visited((experiment, 1), Took(15.0, 14.0, 60.0))
    fresh = Experiment(Case("leaky_relu", n=64), ARMS)
    assert pace.beside_s((fresh, 1)) == pytest.approx(0.2, rel=0.1)
    assert pace.least_s((fresh, 1)) == pytest.approx(0.3, rel=0.1)
    assert pace.rounds_s((fresh, 1), 100.0) == pytest.approx(1.8, rel=0.1)
    assert pace.at_least_s((fresh, 1)) == pytest.approx(0.5, rel=0.1)
    assert pace.beside_s((cold[-1], 1)) == pytest.approx(60.0, rel=0.1)


def test_who_could_not_end_takes_whatever_it_may() -> None:
    assert paced(limited=True).rounds_s((SMALL[0], 2), 50.0) == pytest.approx(50.0)
    assert paced(limited=True).rounds_s((LARGE[0], 1), 50.0) == pytest.approx(50.0)
    assert paced().rounds_s((SMALL[0], 2), 0.5) == pytest.approx(0.5)


def test_half_of_them_did_not_end() -> None:
    """Two of four ended after 1 s; of the others it is known that they take more than 3 s."""
    pace = Pace()
    for experiment, limited in zip(SMALL, (False, True, False, True), strict=False):
        pace.visited((experiment, 1), Took(3.0 if limited else 1.0, 0.1, 0.0, limited=limited))
    assert pace.rounds_s((SMALL[4], 1), 1.0) == pytest.approx(1.0)
    assert pace.rounds_s((SMALL[4], 1), 5.0) == pytest.approx(1.0 + 0.5 * 4.0, rel=0.1)


def test_only_first_processes_compile() -> None:
    pace = Pace(compiling=Compiling({SMALL[0].case: 3.0, SMALL[1].case: 1.0}))
    assert [pace.compile_s((each, 1)) for each in SMALL[:3]] == [3.0, 1.0, 0.0]
    pace.visited((SMALL[0], 1), Took(1.0, 0.1, 0.1, compile_s=9.0))
    assert pace.compile_s((SMALL[1], 1)) == 2.0
    assert pace.compile_s((SMALL[1], 2)) == 0.0
