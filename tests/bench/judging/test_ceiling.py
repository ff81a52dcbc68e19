"""What no arm can beat: the fastest copy of the same bytes, of the run where the experiment's own were disturbed."""

from __future__ import annotations

import math

import pytest

from bench.judging.ceiling import Copies, CopyBatch, Limit, calm_seconds, in_most_processes
from kernels.api import Case

SMALL, LARGE = Case("relu", placement="out", n=1 << 16), Case("relu", placement="out", n=1 << 20)
STEADY = [[1.0, 1.01, 1.02, 1.1], [1.2, 1.2, 1.25, 1.3]]
DISTURBED = [[1.0, 3.0, 3.0, 4.0]]


def test_rounds_that_agree_are_the_limit() -> None:
    assert Copies().limit(LARGE, STEADY) == Limit(1.0)


def test_disturbed_copies_leave_a_wider_limit_and_not_none() -> None:
    assert Copies().limit(LARGE, DISTURBED) == Limit(0.25)
    assert Copies().limit(LARGE, [[1.0, 1.0]]) == Limit(0.25)  # too few to tell


def test_a_case_that_is_judged_again_is_not_bounded_by_its_own_disturbed_copy() -> None:
    """Nor are others: an honest arm was accused of being sixteen times as fast as a copy that had waited for CPUs."""
    copies = Copies()
    assert copies.limit(SMALL, DISTURBED) == Limit(0.25)
    assert copies.limit(SMALL, DISTURBED) == Limit(0.25)
    assert copies.limit(LARGE, DISTURBED) == Limit(0.25)


def test_what_a_copy_waited_for_a_cpu_is_taken_off() -> None:
    """Its threads waited for a tick of the scheduler in each call, and worked for a hundredth of it."""
    waits = [CopyBatch(8e-3, 8.1e-3, 8e-3, contended=True), CopyBatch(8e-3, 8.2e-3, 8e-3, contended=True)]
    assert calm_seconds(waits) == [pytest.approx(0.1e-3)]
    assert calm_seconds([*waits, CopyBatch(1e-3, 2e-3, 0.0, contended=False)]) == [1e-3]
    only = [CopyBatch(8e-3, 8e-3, 9e-3, contended=True)]
    assert calm_seconds(only) == []
    limit = Copies().limit(LARGE, [calm_seconds(only)])
    assert limit.seconds is None
    assert "others had the CPUs whenever a copy was timed" in limit.unchecked


def test_smaller_cases_before_bound_a_disturbed_one() -> None:
    copies = Copies()
    copies.limit(SMALL, [[0.05, 0.05, 0.05]])
    assert copies.limit(LARGE, DISTURBED).seconds == pytest.approx(0.8)  # sixteen times as many bytes
    assert copies.limit(LARGE, []).seconds == pytest.approx(0.8)


def test_larger_cases_and_other_kinds_bound_nothing() -> None:
    copies = Copies()
    copies.limit(LARGE, [[0.01, 0.01, 0.01]])
    copies.limit(Case("relu", placement="new", n=1 << 16), [[1e-6] * 4])
    assert copies.limit(SMALL, DISTURBED) == Limit(0.25)


def test_without_any_copy_it_says_so() -> None:
    limit = Copies().limit(LARGE, [])
    assert limit.seconds is None
    assert "not checked" in limit.unchecked


@pytest.mark.parametrize(
    ("longest_s", "beside", "floor_s", "beaten"),
    [
        (0.95, 0.95, 0.0, True),  # by more than 5 %, at the slow end of both
        (0.96, 0.95, 0.0, False),  # some copy had a round that was as fast
        (0.95, 0.96, 0.0, False),  # the copy was as fast in the same rounds
        (0.5, 2.0, 0.0, False),  # a slow spell hit all rounds of the copies, and most of the arm's came later
        (0.75, None, 0.0, True),  # beside copies of other experiments
        (0.80, None, 0.0, False),  # they may have been slower then
        (0.85, 0.85, 0.05, True),
        (0.90, 0.90, 0.05, False),  # what the copy takes longer may be its call
        (0.5, math.inf, 0.0, False),  # a round alone tells no error
    ],
)
def test_who_is_faster_than_memory(
    longest_s: float, beside: float | None, floor_s: float, beaten: bool
) -> None:
    problem = Limit(1.0).beaten(longest_s, floor_s, beside, processes=2)
    assert (problem is not None) is beaten
    assert not beaten or "it cannot have moved them" in str(problem)
    assert Limit(None, "why").beaten(longest_s, floor_s, beside, processes=2) is None


@pytest.mark.parametrize(("longest_s", "beaten"), [(0.8, False), (0.75, True)])
def test_in_one_process_each_the_luck_of_both_is_allowed_for(longest_s: float, *, beaten: bool) -> None:
    """A copy of 64Ki elements had a slow one, and an honest arm took 0.9 of its time at most."""
    problem = Limit(1.0).beaten(longest_s, 0.0, longest_s, processes=1)
    assert (problem is not None) is beaten


def test_a_copy_of_the_first_process_alone_bounds_nothing_in_the_second() -> None:
    rounds = {"slower": [(1, 0), (1, 1)], "fastest": [(1, 0), (2, 0)], "like it": [(1, 0), (2, 0), (2, 1)]}
    assert in_most_processes(list(rounds), rounds.__getitem__) == ["fastest", "like it"]
    assert in_most_processes(["slower"], rounds.__getitem__) == ["slower"]
    assert in_most_processes([], rounds.__getitem__) == []
