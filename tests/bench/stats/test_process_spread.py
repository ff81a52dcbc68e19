"""What is learnt of processes, on samples whose truth is known."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import pytest

from bench.stats.process_spread import Difference, Pooling, ProcessSpread, Spread, size_band, variance_between

SMALL, LARGE = 1 << 10, 64 << 20
Arms = list[tuple[str, bool, dict[tuple[int, int], float]]]


def arms(
    rng: np.random.Generator,
    sds: dict[str, float],
    *,
    parallel: Sequence[str] = (),
    round_sd: float = 0.005,
    moved: float = 0.0,
    moved_parallel: float = 0.0,
    shared_sd: float = 0.0,
) -> Arms:
    """An experiment in two processes; in the second the machine has moved.  Rounds have a part that all arms share."""
    found: Arms = []
    shared = shared_sd * rng.spawn(1)[0].standard_normal((3, 10))  # what else is drawn stays the same
    for name, sd in sds.items():
        rounds: dict[tuple[int, int], float] = {}
        for process in (1, 2):
            offset = rng.normal(0.0, sd) + (process == 2) * (moved + moved_parallel * (name in parallel))
            rounds |= {
                (process, n): math.exp(offset + shared[process, n] + rng.normal(0.0, round_sd))
                for n in range(10)
            }
        found.append((name, name in parallel, rounds))
    return found


def learnt(
    sds: dict[str, float], experiments: int = 20, pooling: Pooling | None = None, **options: object
) -> ProcessSpread:
    rng = np.random.default_rng(1)
    spread = ProcessSpread() if pooling is None else ProcessSpread(pooling)
    for _ in range(experiments):
        spread.learn(SMALL, arms(rng, sds, **options))  # type: ignore[arg-type]
    return spread


@pytest.mark.parametrize("sd", [0.005, 0.02, 0.1])
def test_what_processes_differ_by_is_found_whatever_its_size(sd: float) -> None:
    found = learnt({"a": sd, "b": sd, "c": sd, "d": sd}).spread("a", SMALL)
    assert found.sd == pytest.approx(sd, rel=0.35)


def test_rounds_alone_make_no_difference_between_processes() -> None:
    found = learnt({"a": 0.0, "b": 0.0, "c": 0.0}, round_sd=0.05).spread("a", SMALL)
    assert found.sd < 0.012


def test_backends_are_told_apart() -> None:
    spread = learnt({"calm": 0.003, "quiet": 0.003, "still": 0.003, "wild": 0.1})
    assert spread.spread("calm", SMALL).sd < 0.02
    assert spread.spread("wild", SMALL).sd > 0.05


def test_a_machine_that_moves_as_a_whole_is_no_difference() -> None:
    sds = {"a": 0.002, "b": 0.002, "c": 0.002}
    still, moved = (learnt(sds, moved=by).spread("a", SMALL) for by in (0.0, 0.3))
    assert moved.sd == pytest.approx(still.sd)
    assert moved.kind_sd == pytest.approx(still.kind_sd)


def test_rounds_in_which_the_machine_is_slow_for_all_make_no_difference_between_processes() -> None:
    sds = {"a": 0.003, "b": 0.003, "c": 0.003}
    still, shaken = (learnt(sds, shared_sd=by).spread("a", SMALL) for by in (0.0, 0.3))
    assert shaken.sd == pytest.approx(still.sd, rel=0.2)
    assert shaken.kind_sd == pytest.approx(still.kind_sd, rel=0.2)


def test_what_parallel_arms_share_counts_only_beside_serial_ones() -> None:
    sds = dict.fromkeys(("a", "b", "c", "p", "q", "r"), 0.002)
    spread = learnt(sds, parallel=("p", "q", "r"), moved_parallel=0.2)
    serial, parallel = spread.spread("a", SMALL), spread.spread("p", SMALL)
    assert parallel.sd < 0.01
    alike, _ = variance_between(parallel, spread.spread("q", SMALL), alike=True)
    unlike, _ = variance_between(parallel, serial, alike=False)
    assert math.sqrt(alike) < 0.015
    assert math.sqrt(unlike) > 0.08


def test_the_variance_between_two_arms_is_the_same_either_way_round() -> None:
    one, other = Spread(0.01, 12.0, 0.02), Spread(0.03, 4.0, 0.02)
    for alike in (True, False):
        assert variance_between(one, other, alike=alike) == variance_between(other, one, alike=alike)
    variance, df = variance_between(one, other, alike=True)
    assert variance == pytest.approx(0.001)
    assert df == 4.0


def test_an_arm_whose_own_processes_differ_more_than_its_class_has_a_larger_spread() -> None:
    spread = learnt({"a": 0.005, "b": 0.005, "c": 0.005})
    usual = spread.spread("a", SMALL)
    assert spread.spread("a", SMALL, [Difference(0.2, 1e-5)]).sd > 1.5 * usual.sd
    assert spread.spread("a", SMALL, [Difference(0.001, 1e-5)]) == usual
    assert spread.spread("a", SMALL, [Difference(0.2, 1.0)]) == usual  # the rounds explain it
    alike = learnt({"a": 0.005, "b": 0.005, "c": 0.005}, pooling=Pooling(own=False))
    assert alike.spread("a", SMALL, [Difference(0.2, 1e-5)]) == alike.spread("a", SMALL)


def test_one_arm_that_runs_wild_does_not_speak_for_its_class() -> None:
    """It speaks for itself, by its own differences."""
    rng = np.random.default_rng(1)
    robust, normal = ProcessSpread(), ProcessSpread(Pooling(tails=math.inf))
    for number in range(12):
        wild = {"a": 0.2 if number == 5 else 0.004, "b": 0.004, "c": 0.004}
        experiment = arms(rng, wild)
        for spread in (robust, normal):
            own = spread.learn(SMALL, experiment)
        if number == 5:
            its_own = own[0]
    calm = robust.spread("a", SMALL).sd
    assert calm < 0.012
    assert normal.spread("a", SMALL).sd > 2 * calm
    assert robust.spread("a", SMALL, its_own).sd > 2 * calm


def test_a_class_with_few_pairs_borrows_from_the_others_and_is_known_less() -> None:
    spread = learnt({"a": 0.05, "b": 0.05, "c": 0.05})
    new = spread.spread("new", LARGE)
    assert new.sd == pytest.approx(0.05, rel=0.5)
    assert new.df == pytest.approx(Pooling().others)
    assert spread.spread("a", SMALL).df == Pooling().most_df


def test_a_size_at_which_processes_are_alike_is_told_from_one_at_which_they_differ() -> None:
    rng, spread = np.random.default_rng(1), ProcessSpread()
    for _ in range(6):
        spread.learn(SMALL, arms(rng, dict.fromkeys("abc", 0.003)))
        spread.learn(32 * SMALL, arms(rng, dict.fromkeys("abc", 0.06)))
    assert spread.spread("a", SMALL).sd < 0.01
    assert spread.spread("a", 32 * SMALL).sd > 0.03


def test_what_other_backends_show_at_a_size_counts_before_what_other_sizes_show() -> None:
    rng, spread = np.random.default_rng(1), ProcessSpread()
    for _ in range(6):
        spread.learn(SMALL, arms(rng, dict.fromkeys("abc", 0.003)))
        spread.learn(LARGE, arms(rng, dict.fromkeys("abc", 0.08)))
    assert spread.spread("new", SMALL).sd < 0.02 < spread.spread("new", LARGE).sd


def test_other_sizes_count_for_nothing_where_others_of_the_size_are_enough() -> None:
    rng = np.random.default_rng(1)
    experiments = [arms(rng, dict.fromkeys("abc", 0.003)) for _ in range(6)]
    one, both = ProcessSpread(), ProcessSpread()
    for experiment in experiments:
        one.learn(SMALL, experiment)
        both.learn(SMALL, experiment)
        both.learn(LARGE, arms(rng, dict.fromkeys("abc", 0.3)))
    assert both.spread("a", SMALL).sd == one.spread("a", SMALL).sd


def test_before_anything_is_known_something_is_assumed_with_few_degrees_of_freedom() -> None:
    found = ProcessSpread().spread("a", SMALL)
    assert 0.005 <= found.sd <= 0.03
    assert found.df < learnt({"a": 0.01, "b": 0.01}).spread("a", SMALL).df


def test_arms_in_one_process_teach_nothing() -> None:
    spread = ProcessSpread()
    lone = [(name, False, {(1, n): 1.0 + n for n in range(6)}) for name in ("a", "b")]
    assert spread.learn(SMALL, lone) == [[], []]
    assert spread.spread("a", SMALL) == ProcessSpread().spread("a", SMALL)


def test_a_copy_learns_by_itself() -> None:
    spread = learnt({"a": 0.01, "b": 0.01, "c": 0.01})
    before = spread.spread("a", SMALL)
    copy = spread.copy()
    copy.learn(SMALL, arms(np.random.default_rng(2), {"a": 0.3, "b": 0.3, "c": 0.3}))
    assert spread.spread("a", SMALL) == before
    assert copy.spread("a", SMALL) != before


def test_sizes_fall_into_three_bands() -> None:
    assert [size_band(moved) for moved in (SMALL, 4 << 20, LARGE)] == [0, 1, 2]


def test_a_third_process_that_differs_from_two_alike_is_seen() -> None:
    """As a process whose memory lies better than that of all others, for as long as it lives."""
    rng = np.random.default_rng(2)
    three = arms(rng, {"a": 0.001, "b": 0.001, "c": 0.001})
    for number, (_, _, rounds) in enumerate(three):
        gain = 0.14 * (number == 0)
        rounds |= {(3, n): math.exp(rng.normal(-gain, 0.005)) for n in range(10)}
    spread = learnt({"a": 0.005, "b": 0.005, "c": 0.005})
    own = spread.learn(SMALL, three)
    assert [len(each) for each in own] == [2, 2, 2]
    lucky, usual = (spread.spread("a", SMALL, each).sd for each in own[:2])
    assert lucky > 1.5 * usual
