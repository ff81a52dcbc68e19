"""What a round takes from all arms is told from what it takes from one."""

from __future__ import annotations

import math

import pytest

from bench.stats.shared_rounds import apart


def test_what_a_round_takes_from_all_is_off_each() -> None:
    slow = {(1, 0): 1.0, (1, 1): 2.0, (1, 2): 1.0, (2, 0): 1.5}
    shared, beside = apart(
        [{place: each * times for place, times in slow.items()} for each in (1.0, 7.0, 0.1)]
    )
    assert shared[1, 1] / shared[1, 0] == pytest.approx(2.0)
    assert all(times == pytest.approx(1.0) for arm in beside for times in arm.values())


def test_one_of_two_arms_that_takes_longer_is_seen_as_if_the_other_were_known() -> None:
    """The median of two lies halfway between them."""
    still = dict.fromkeys([(1, 0), (1, 1), (1, 2)], 1.0)
    _, (one, other) = apart([still | {(1, 1): 1.1}, still])
    assert math.log(one[1, 1]) == pytest.approx(math.log(1.1) / math.sqrt(2))
    assert math.log(other[1, 1]) == pytest.approx(-math.log(1.1) / math.sqrt(2))


def test_an_arm_that_has_a_round_alone_is_beside_nothing_there() -> None:
    short = dict.fromkeys([(1, 0), (1, 1)], 1.0)
    shared, (long, _) = apart([short | {(1, 2): 5.0}, short])
    assert long.keys() == short.keys()
    assert shared[1, 2] == pytest.approx(5.0)
