"""Changes over many runs of one machine: found where they are, and not where a run merely differs."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd
import pytest

from bench.stats.change_points import Course, courses
from bench.stats.run_estimates import Side, arms_of
from tests.sides import Machine

ARMS = 2
MACHINE = Machine(cells=ARMS, jumping=0.0)


def run(rng: np.random.Generator, factor: float = 1.0, arm: int = 1) -> pd.DataFrame:
    """One run of several arms of a case, one of which takes `factor` times its time."""
    cells = MACHINE.run(rng, [arm], factor).cells
    cells = cells.assign(n=1024, backend=[f"arm{number}" for number in range(ARMS)])
    return arms_of(Side(cells), relative=False)


def history(factors: list[float], seed: int = 1) -> Mapping[str, Course]:
    """The course of each arm, by its backend, where that of arm 1 is as told."""
    rng = np.random.default_rng(seed)
    found = courses([run(rng, factor) for factor in factors])
    return {backend: course for (backend, _), course in found.items()}


def changes(course: Course) -> list[tuple[int, str]]:
    return [(change.first, change.word) for change in course.changes]


class TestWhatLasts:
    def test_it_is_found_where_it_begins_and_in_its_arm_alone(self) -> None:
        found = history([1.0] * 5 + [1.2] * 4)
        assert changes(found["arm1"]) == [(5, "slower")]
        ratio = found["arm1"].changes[0].ratio
        assert ratio.lo < 1.2 < ratio.hi
        assert ratio.lo > 1.05
        assert not found["arm0"].changes

    def test_a_spell_has_a_beginning_and_an_end(self) -> None:
        """No single cut of all the runs shows it."""
        found = history([1.0] * 5 + [1.25] * 4 + [1.0] * 5)
        assert changes(found["arm1"]) == [(5, "slower"), (9, "faster")]

    def test_steps_in_one_direction_are_told_apart(self) -> None:
        found = history([1.0] * 4 + [1.25] * 4 + [1.6] * 4)
        assert changes(found["arm1"]) == [(4, "slower"), (8, "slower")]


class TestWhatIsNone:
    @pytest.mark.parametrize("seed", [2, *(pytest.param(seed, marks=pytest.mark.daily) for seed in (3, 4))])
    def test_runs_of_the_same_code(self, seed: int) -> None:
        found = history([1.0] * 8, seed)
        assert all(not course.changes for course in found.values())
        assert all(0.02 < course.noise_floor < 0.5 for course in found.values())

    def test_a_lone_run_that_jumps(self) -> None:
        assert not history([1.0] * 4 + [1.13] + [1.0] * 4)["arm1"].changes

    def test_the_newest_run_alone_is_suspected(self) -> None:
        found = history([1.0] * 7 + [1.13])["arm1"]
        assert not found.changes
        assert found.newest is not None
        assert (found.newest.first, found.newest.word) == (7, "slower")
        assert history([1.0] * 8)["arm1"].newest is None

    def test_what_is_smaller_than_asked_for(self) -> None:
        rng = np.random.default_rng(1)
        runs = [run(rng, factor) for factor in [1.0] * 6 + [1.2] * 6]
        assert not courses(runs, threshold=0.5)["arm1", ""].changes


def test_runs_that_lack_an_arm_do_not_count_for_it() -> None:
    rng = np.random.default_rng(1)
    runs = [run(rng, factor) for factor in [1.0] * 6 + [1.3] * 6]
    for number in (1, 8):
        runs[number] = runs[number].assign(
            status=["ok", "failed"],
            value=runs[number]["value"].where(runs[number]["backend"] != "arm1"),
        )
    found = courses(runs)["arm1", ""]
    assert found.runs == (0, 2, 3, 4, 5, 6, 7, 9, 10, 11)
    assert changes(found) == [(6, "slower")]


def test_one_run_has_no_course() -> None:
    found = courses([run(np.random.default_rng(1))])
    assert len(found) == ARMS
    assert all(not course.changes and np.isnan(course.noise_floor) for course in found.values())
