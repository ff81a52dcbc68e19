"""A run's seconds are shared out by weight, and preparing is foreseen."""

from __future__ import annotations

import pytest

from bench.run.budget import Budget


def _spent(weights: list[float], beside_per_weight: float, allowed_s: float) -> list[float]:
    """Seconds for the rounds of each, if all take what they may and so much besides."""
    budget, given = Budget(allowed_s), []
    for number, weight in enumerate(weights):
        rounds_s = budget.rounds_s(weight, sum(weights[number:]))
        budget.spend(weight, rounds_s + beside_per_weight * weight, rounds_s)
        given.append(rounds_s)
    return given


def test_more_weight_more_time() -> None:
    assert _spent([1.0, 1.0, 4.0], 0.0, 60.0) == pytest.approx([10.0, 10.0, 40.0])


def test_those_that_come_later_do_not_pay_for_what_all_take_besides() -> None:
    given = _spent([1.0] * 20, 3.0, 100.0)
    assert given[-1] == pytest.approx(given[3])
    assert sum(given) + 60.0 == pytest.approx(100.0)


def test_a_first_compilation_is_not_taken_for_the_rule() -> None:
    budget = Budget(100.0)
    budget.spend(1.0, 21.0, 1.0)
    for _ in range(2):
        budget.spend(1.0, 1.5, 1.0)
    assert budget.rounds_s(1.0, 10.0) == pytest.approx((100.0 - 24.0 - 10 * 0.5) / 10)


def test_starting_processes_is_paid_for() -> None:
    budget = Budget(100.0)
    budget.start_up(20.0)
    assert budget.share_s(1.0, 4.0) == pytest.approx(20.0)


def test_processes_that_are_still_to_be_started_are_paid_for() -> None:
    budget = Budget(100.0, start_up_s=10.0, starts=3)
    assert budget.share_s(1.0, 1.0) == pytest.approx(70.0)
    budget.start_up(20.0)  # slower than thought: the next ones will be, too
    assert budget.share_s(1.0, 1.0) == pytest.approx(40.0)
    budget.renounce(2)
    assert budget.share_s(1.0, 1.0) == pytest.approx(80.0)


def test_the_last_experiments_do_not_decide_whether_all_are_measured_again() -> None:
    """As networks do, which are the last, small and long to prepare."""
    budget = Budget(200.0, start_up_s=10.0, starts=2)
    for weight, beside_s in [(10.0, 1.0)] * 8 + [(1.0, 3.0)] * 3:
        budget.spend(weight, beside_s + 8.0, 8.0)
    assert budget.has_time(83.0)


def test_more_processes_need_time_for_more_than_starting_them() -> None:
    budget = Budget(100.0, start_up_s=10.0, starts=2)
    for _ in range(3):
        budget.spend(1.0, 10.0, 5.0)
    assert budget.has_time(6.0)
    assert not budget.has_time(10.0)


def test_a_budget_that_is_spent_gives_nothing() -> None:
    budget = Budget(1.0)
    budget.spend(1.0, 5.0, 0.0)
    assert budget.left_s == 0.0
    assert budget.rounds_s(1.0, 1.0) == 0.0
