"""What compilers will take is told by what was foreseen of each visit, and not by the visits before it alone."""

from __future__ import annotations

import pytest

from bench.plan.cold_caches import Compiling
from bench.run.compile_pace import CompilePace
from kernels.api import Case

CASES = [Case("relu", n=n) for n in range(64, 74)]
LOOPS = Compiling(dict.fromkeys(CASES[:3], 2.0), dict.fromkeys(CASES[:3], 2.0))
"""Three visits compile, and all others find what they have left."""
HELD = Compiling({}, LOOPS.everything)
"""The same, where all of it should be there."""


def paced(compiling: Compiling, *took_s: float) -> CompilePace:
    pace = CompilePace(compiling)
    for case, seconds in zip(CASES, took_s, strict=False):
        pace.visited(case, seconds)
    return pace


def test_what_the_first_visits_compiled_is_not_expected_of_those_that_find_it() -> None:
    pace = paced(LOOPS, 2.0, 2.0, 2.0)
    assert [pace.seconds(case) for case in CASES[3:]] == [0.0] * 7


def test_what_is_foreseen_is_expected_at_the_pace_that_was_seen() -> None:
    assert paced(LOOPS).seconds(CASES[0]) == 2.0
    assert paced(LOOPS, 6.0, 6.0).seconds(CASES[2]) == pytest.approx(
        14 / 3
    )  # one more counts as it was foreseen
    assert paced(LOOPS, 0.0, 0.0).seconds(CASES[2]) == pytest.approx(2 / 3)


def test_caches_that_are_colder_than_they_should_be_are_expected_to_lack_the_rest() -> None:
    assert paced(HELD).seconds(CASES[0]) == 0.0
    pace = paced(HELD, 4.0, 4.0)
    assert pace.seconds(CASES[2]) == 4.0
    assert pace.seconds(CASES[3]) == 0.0
    assert paced(HELD, 0.0, 0.0).seconds(CASES[2]) == 0.0


def test_of_compilers_that_nothing_is_known_of_each_takes_what_the_last_ones_did() -> None:
    """But for the very first, which does what is done once."""
    assert paced(Compiling(), 20.0).seconds(CASES[5]) == 0.0
    assert paced(Compiling(), 20.0, 2.0, 3.0).seconds(CASES[5]) == 2.5
    assert paced(Compiling(), 20.0, 9.0, *[1.0] * 6).seconds(CASES[9]) == 1.0
