"""What is fixed of a visit and what grows with its case are learnt apart, where it is known what is usual."""

from __future__ import annotations

import pytest

from bench.run.rates import rates
from bench.run.visit_sizes import Size

USUAL = (0.1, 0.05)
SMALL, MIDDLE, LARGE = (Size(7.0, 7.0 * grows, USUAL) for grows in (0.0, 1.0, 100.0))


def test_small_ones_that_take_long_are_no_rule_for_large_ones() -> None:
    seen = [(1.0, SMALL, 3 * SMALL.at(USUAL))] * 8
    assert rates(seen, USUAL) == pytest.approx((0.3, 0.05), rel=0.05)


def test_large_ones_that_take_long_are_no_rule_for_small_ones() -> None:
    seen = [(1.0, LARGE, 3 * LARGE.at(USUAL))] * 8
    assert rates(seen, USUAL) == pytest.approx((0.1, 0.15), rel=0.05)


def test_both_are_found_where_small_and_large_ones_were_seen() -> None:
    true = (0.3, 0.02)
    seen = [(1.0, size, size.at(true)) for size in (SMALL, MIDDLE, LARGE) for _ in range(8)]
    assert rates(seen, USUAL) == pytest.approx(true, rel=0.1)


def test_neither_is_less_than_nothing() -> None:
    seen = [(1.0, SMALL, 5.0), (1.0, MIDDLE, 0.1), (1.0, LARGE, 0.0)]
    assert min(rates(seen, USUAL)) >= 0.0


def test_what_is_usual_stands_until_there_was_one_and_other_sorts_tell_nothing() -> None:
    assert rates([], USUAL) == pytest.approx(USUAL)
    assert rates([(1.0, Size(7.0), 70.0)], USUAL) == pytest.approx(USUAL)


def test_where_nobody_knows_what_is_usual_both_are_as_long() -> None:
    assert rates([(1.0, Size(2.0, 2.0), 8.0), (0.5, Size(4.0), 8.0)], None) == pytest.approx((2.0, 2.0))
    assert rates([], None) == (0.0, 0.0)
