"""How much longer a run takes is foreseen from what was seen: of the same experiments, and of those of a like size."""

from __future__ import annotations

import pytest

from bench.plan.experiments import Arm, Experiment, weight
from bench.run.time_left import Pace, Took
from kernels.api import Case

ARMS = (Arm("a"),)
SMALL = [Experiment(Case("relu", n=n), ARMS) for n in range(64, 72)]
LARGE = [Experiment(Case("relu", n=n), ARMS) for n in range(1 << 24, (1 << 24) + 4)]


def paced(*, limited: bool = False) -> Pace:
    """A run announced to take 100 s, whose small experiments were all visited once, in 2 s each."""
    pace = Pace(100.0, now=0.0)
    pace.started(5.0, now=5.0)
    for experiment in SMALL:
        pace.visited(experiment, 1, Took(1.8, 0.3, 0.2, limited), now=20.0)
    return pace


def test_until_something_was_seen_the_announced_time_holds() -> None:
    pace = Pace(100.0, now=7.0)
    visits = [(experiment, 1) for experiment in SMALL]
    assert pace.seconds_left(visits, 1, 100.0, now=7.0) == 100.0
    assert pace.seconds_left(visits, 1, 100.0, now=47.0) == 60.0
    assert pace.seconds_left(visits, 1, 100.0, now=207.0) == 0.0


def test_the_second_visits_take_as_long_as_the_first_until_they_are_seen_to_be_shorter() -> None:
    pace = paced()
    visits = [(experiment, 2) for experiment in SMALL]
    assert pace.seconds_left(visits, 1, None, now=20.0) == pytest.approx(8 * 2.0 + 5.0)
    pace.visited(SMALL[0], 2, Took(0.9, 0.3, 0.1), now=21.0)
    assert pace.seconds_left(visits[1:], 0, None, now=21.0) == pytest.approx(7 * 1.0)


def test_those_never_visited_take_as_long_as_their_weight_says() -> None:
    share = weight(LARGE[0]) / weight(SMALL[0])
    left = paced().seconds_left([(experiment, 1) for experiment in LARGE], 0, None, now=20.0)
    assert left == pytest.approx(4 * 2.0 * share, rel=0.01)


def test_a_budget_shortens_rounds_but_not_below_the_fewest() -> None:
    visits = [(experiment, 2) for experiment in SMALL]
    assert paced().seconds_left(visits, 0, 10.0, now=20.0) == pytest.approx(10.0)
    assert paced().seconds_left(visits, 0, 1.0, now=20.0) == pytest.approx(8 * 0.5)
    assert paced().seconds_left(visits, 0, 50.0, now=20.0) == pytest.approx(8 * 2.0)


def test_who_could_not_end_in_time_takes_all_that_is_left() -> None:
    visits = [(experiment, 2) for experiment in SMALL]
    assert paced(limited=True).seconds_left(visits, 0, 50.0, now=20.0) == pytest.approx(50.0)
    assert paced(limited=True).seconds_left(visits, 1, 50.0, now=20.0) == pytest.approx(50.0)
    assert paced(limited=True).seconds_left(visits, 0, None, now=20.0) == pytest.approx(8 * 2.0)


def test_it_counts_down_while_a_visit_is_under_way_but_not_into_the_next() -> None:
    visits = [(experiment, 2) for experiment in SMALL[:3]]
    left = [paced().seconds_left(visits, 0, None, now=20.0 + passed) for passed in (0.0, 1.5, 30.0)]
    assert left == pytest.approx([6.0, 4.5, 4.0])
