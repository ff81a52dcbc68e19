"""A run's seconds are shared out by weight; what is not rounds is foreseen, and what cannot be paid is not begun."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from bench.plan.experiments import Arm, Experiment
from bench.run.budget import Budget
from bench.run.time_left import Pace, Took, Visit
from kernels.api import Case

ONE = [Experiment(Case("relu", n=n), (Arm("a"),)) for n in range(64, 84)]
FIVE = Experiment(Case("relu", n=64, dtype="float64"), tuple(Arm(name) for name in "abcde"))


def through(budget: Budget, pace: Pace, visits: Sequence[Visit], beside_s: float) -> list[float]:
    """What the rounds of each visit may take, if all take that, and so much besides."""
    given = []
    for place, visit in enumerate(visits):
        share = next(iter(budget.shares(visits[place:], visit[1])))
        pace.visited(visit, Took(share.rounds_s, 0.0, beside_s, limited=True))
        budget.spend(share.rounds_s + beside_s)
        given.append(share.rounds_s)
    return given


def test_more_weight_more_time() -> None:
    pace = Pace()
    given = through(Budget(70.0, pace), pace, [(ONE[0], 1), (ONE[1], 1), (FIVE, 1)], 0.0)
    assert given == pytest.approx([10.0, 10.0, 50.0], rel=0.01)


def test_those_that_come_later_do_not_pay_for_what_all_take_besides() -> None:
    pace = Pace()
    given = through(Budget(100.0, pace), pace, [(each, 1) for each in ONE], 3.0)
    assert given[1] == pytest.approx(given[-1], rel=0.02)
    assert sum(given) + 60.0 == pytest.approx(100.0, rel=0.01)


def test_starting_processes_is_paid_for_before() -> None:
    visits = [(ONE[0], 1), (ONE[0], 2)]
    pace = Pace(start_up_s=10.0)
    shares = list(Budget(100.0, pace).shares(visits, 0))
    assert shares[0].rounds_s == pytest.approx(40.0)
    pace.started(20.0)  # slower than thought: the next ones will be, too
    assert next(iter(Budget(80.0, pace).shares(visits, 1))).rounds_s == pytest.approx(30.0)


def test_what_is_expected_is_what_will_be_spent() -> None:
    pace = Pace(start_up_s=10.0)
    for each in ONE[:6]:
        pace.visited((each, 1), Took(2.0, 0.3, 0.5))
    visits = [*((each, 1) for each in ONE[6:]), *((each, 2) for each in ONE)]
    plenty = list(Budget(1000.0, pace).shares(visits, 1))
    assert sum(each.expected_s for each in plenty) == pytest.approx(10.0 + 34 * 2.5, rel=0.01)
    scarce = list(Budget(50.0, pace).shares(visits, 1))
    assert sum(each.expected_s for each in scarce) == pytest.approx(50.0, rel=0.02)
    fewest = list(Budget(5.0, pace).shares(visits, 1))
    assert sum(each.expected_s for each in fewest) == pytest.approx(14 * 0.8, rel=0.01)  # no second processes


def test_only_what_can_be_measured_in_them_is_measured_in_more_processes() -> None:
    pace = Pace(start_up_s=10.0)
    for experiment, beside_s in ((ONE[0], 1.0), (ONE[1], 100.0), (ONE[2], 2.0)):
        pace.visited((experiment, 1), Took(5.0, 0.3, beside_s))
    again = [(each, 2) for each in ONE[:3]]
    assert Budget(30.0, pace).affordable(again) == [again[0], again[2]]
    assert not Budget(15.0, pace).affordable(again)  # most of it would go into starting them
    assert Budget(300.0, pace).affordable(again) == again
    assert len(list(Budget(30.0, pace).shares(again, 1))) == 2


def test_time_that_was_kept_for_second_processes_is_spent_in_them() -> None:
    first, second = ([(each, process) for each in ONE[:2]] for process in (1, 2))
    pace = Pace(start_up_s=8.0)
    for visit in first:
        pace.visited(visit, Took(1.0, 0.3, 2.0))
    budget = Budget(25.0, pace)
    for place in range(len(first)):
        share = next(iter(budget.shares([*first[place:], *second], 1)))
        budget.spend(share.rounds_s + 2.0)
    assert budget.left_s == pytest.approx(8.0 + 2 * (2.0 + 2.25), rel=0.01)
    assert budget.affordable(second) == second


def test_where_second_processes_would_find_too_little_time_the_first_ones_have_it() -> None:
    first, second = ([(each, process) for each in ONE[:2]] for process in (1, 2))
    pace = Pace(start_up_s=8.0)
    for visit in first:
        pace.visited(visit, Took(1.0, 0.3, 2.0, limited=True))
    shares = list(Budget(15.0, pace).shares([*first, *second], 1))
    assert [each.rounds_s for each in shares] == pytest.approx([5.5, 5.5], rel=0.01)


def test_an_experiment_has_no_more_than_its_own_seconds() -> None:
    assert next(iter(Budget(100.0, Pace(), 2.0).shares([(ONE[0], 1)], 1))).rounds_s == 2.0


def test_a_budget_that_is_spent_gives_nothing() -> None:
    budget = Budget(1.0, Pace())
    budget.spend(5.0)
    assert next(iter(budget.shares([(ONE[0], 1)], 1))).rounds_s == 0.0
