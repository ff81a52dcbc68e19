"""Curves over sizes: what was planted is found, and what cannot be known is not claimed."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest

from bench.stats.size_curves import Curve, Stretch, ratio_misses, stretches

SIZES = [1 << power for power in range(10, 27, 2)]
CACHES = (1 << 15, 1 << 20, 1 << 25)


def line(latency_s: float, bytes_per_s: float, sizes: list[int] = SIZES) -> Curve:
    return Curve(sizes, [latency_s + 8 * n / bytes_per_s for n in sizes], 8, 8, CACHES)


def stepped(n: float) -> float:
    """1 us, 100 GB/s as far as 32 MiB hold it, and 20 GB/s from memory; the step as the module has it."""
    share = min(max(math.log2(2 * 8 * n / CACHES[2]) / 2, 0), 1)
    return 1e-6 + 8 * n * (1 / 100e9 + share * (1 / 20e9 - 1 / 100e9))


def test_a_measured_size_comes_out_as_measured() -> None:
    seconds = [1e-6, 3e-6, 2e-6, 9e-5]
    curve = Curve([1024, 4096, 65536, 1 << 22], seconds, 8, 8, CACHES)
    assert curve.at([1024, 4096, 65536, 1 << 22]) == pytest.approx(seconds)


def test_a_line_is_found_and_told_between_its_points() -> None:
    curve = line(2e-6, 10e9)
    assert curve.latency_s == pytest.approx(2e-6)
    assert curve.bytes_per_s[0] == pytest.approx(10e9)
    assert float(curve.at(5000)) == pytest.approx(2e-6 + 8 * 5000 / 10e9)
    assert list(curve.misses().values()) == pytest.approx([1] * (len(SIZES) - 2))


def test_each_cache_level_has_its_bandwidth() -> None:
    curve = Curve(SIZES, [stepped(n) for n in SIZES], 8, 8, CACHES)
    assert curve.bytes_per_s[0] == pytest.approx(100e9, rel=0.01)
    assert curve.bytes_per_s[-1] == pytest.approx(20e9, rel=0.01)
    assert float(curve.at(3 << 20)) == pytest.approx(stepped(3 << 20), rel=0.02)


def test_a_step_between_two_points_is_put_where_memory_begins() -> None:
    """Three points leave the levels open: the slow one is out of memory, not out of the second cache."""
    sizes = [1 << 10, 1 << 15, 1 << 24]
    curve = Curve(sizes, [stepped(n) for n in sizes], 8, 8, CACHES)
    assert float(curve.at(1 << 20)) == pytest.approx(stepped(1 << 20), rel=0.05)


def nearest_by_trying_all(rows: np.ndarray) -> np.ndarray:
    """Of all sets of columns the best one with no coefficient below 0 (Lawson and Hanson, 1974, ch. 23).

    Of equals the smallest, and of these the one with the latest steps.
    """
    scale = np.linalg.norm(rows, axis=0)
    order = [0, 1, *range(rows.shape[1] - 1, 1, -1)]
    best, least = np.zeros(rows.shape[1]), math.inf
    for count in range(1, rows.shape[1] + 1):
        for columns in map(list, itertools.combinations(order, count)):
            scaled = rows[:, columns] / scale[columns]
            found, *_ = np.linalg.lstsq(scaled, np.ones(len(rows)), rcond=None)
            miss = float(np.square(scaled @ found - 1).sum())
            if found.min() >= 0 and miss < least - 1e-9:
                best, least = np.zeros(rows.shape[1]), miss
                best[columns] = found / scale[columns]
    return best


@pytest.mark.parametrize("count", [3, 4, 6, 9])
@pytest.mark.parametrize("seed", range(8))
def test_the_costs_are_the_nearest_that_are_not_negative(seed: int, count: int) -> None:
    rng = np.random.default_rng(seed)
    sizes = sorted({*rng.choice(SIZES[:-1], count - 1, replace=False).tolist(), SIZES[-1]})
    seconds = [stepped(n) * math.exp(rng.normal(0, 0.1)) for n in sizes]
    curve = Curve(sizes, seconds, 8, 8, CACHES)
    bytes_moved = 8.0 * np.array(sizes)
    shares = [np.clip(np.log2(2 * bytes_moved / cache) / 2, 0, 1) for cache in CACHES]
    columns = [np.ones(len(sizes)), bytes_moved, *(bytes_moved * share for share in shares)]
    costs = nearest_by_trying_all(np.stack(columns, axis=-1) / np.array(seconds)[:, None])
    assert curve.latency_s == pytest.approx(costs[0], abs=1e-15)
    with np.errstate(divide="ignore"):
        assert curve.bytes_per_s == pytest.approx((1 / np.cumsum(costs[1:])).tolist())


def test_a_bend_that_no_model_has_shows_in_the_misses() -> None:
    seconds = [stepped(n) * (3 if n == SIZES[4] else 1) for n in SIZES]
    assert min(Curve(SIZES, seconds, 8, 8, CACHES).misses().values()) < 0.5


def test_ratios_forgive_what_bends_both_curves() -> None:
    slow, fast = (
        Curve(SIZES, [factor * stepped(n) * (3 if n == SIZES[4] else 1) for n in SIZES], 8, 8, CACHES)
        for factor in (4, 1)
    )
    assert ratio_misses(slow, fast) == pytest.approx([1] * (len(SIZES) - 2))


def test_the_crossing_is_where_it_was_planted() -> None:
    # 1 us + 8 n / 10 GB/s and 4 us + 8 n / 40 GB/s meet at n = 3e-6 / (8 * 0.075e-9) = 5000
    found = stretches({"quick": line(1e-6, 10e9), "wide": line(4e-6, 40e9)}, 0.05)
    assert [stretch.name for stretch in found] == ["quick", "wide"]
    assert found[0].last == found[1].first == pytest.approx(5000, rel=0.05)
    assert (found[0].first, found[-1].last) == (SIZES[0], SIZES[-1])


def test_a_lead_inside_the_noise_is_no_crossing() -> None:
    found = stretches({"one": line(1.00e-6, 10e9), "other": line(1.02e-6, 10.2e9)}, 0.05)
    assert found == [Stretch(SIZES[0], SIZES[-1], "one")]


def test_an_arm_competes_only_where_it_was_measured() -> None:
    found = stretches({"all": line(4e-6, 10e9), "small": line(1e-6, 20e9, SIZES[:3])}, 0.05)
    assert found[0].name == "small"
    assert found[0].last == pytest.approx(SIZES[2], rel=0.05)


def test_covers_tells_what_lies_outside() -> None:
    assert line(1e-6, 1e9).covers(np.array([1, 1024, 5000, 1 << 26, 1 << 27])).tolist() == [
        False,
        True,
        True,
        True,
        False,
    ]


def test_no_curves_no_stretches() -> None:
    assert stretches({}, 0.1) == []
