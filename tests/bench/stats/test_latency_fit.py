"""Fitted lines on times with known answers."""

from __future__ import annotations

import numpy as np
import pytest

from bench.stats.latency_fit import fit_lines

BYTES = np.array([1e3, 1e4, 1e5, 1e6, 1e8])


def test_an_exact_line_is_found() -> None:
    groups = np.repeat([0, 1], len(BYTES))
    seconds = np.concatenate([2e-6 + BYTES / 10e9, 5e-5 + BYTES / 1e9])
    lines = fit_lines(groups, np.tile(BYTES, 2), seconds)
    assert lines.latency_s == pytest.approx([2e-6, 5e-5])
    assert lines.bytes_per_s == pytest.approx([10e9, 1e9])
    assert lines.worst_miss == pytest.approx([0, 0], abs=1e-9)


def test_a_small_tensor_counts_as_much_as_a_large_one() -> None:
    """10 % more on the largest alone must not move the latency by more than its share."""
    seconds = 2e-6 + BYTES / 10e9
    seconds[-1] *= 1.1
    lines = fit_lines(np.zeros(len(BYTES), np.int64), BYTES, seconds)
    assert lines.latency_s == pytest.approx([2e-6], rel=0.05)
    assert 0 < lines.worst_miss[0] < 0.11


def test_a_latency_is_never_negative() -> None:
    seconds = (BYTES / 10e9) ** 1.2
    lines = fit_lines(np.zeros(len(BYTES), np.int64), BYTES, seconds)
    assert lines.latency_s == [0]
    assert lines.bytes_per_s > 0


def test_times_that_do_not_grow_have_no_bandwidth() -> None:
    lines = fit_lines(np.zeros(3, np.int64), BYTES[:3], np.array([3e-6, 2e-6, 2e-6]))
    assert np.isnan(lines.bytes_per_s[0])
    assert 2e-6 <= lines.latency_s[0] <= 3e-6


def test_caches_show_as_a_large_miss() -> None:
    seconds = np.where(BYTES < 1e5, BYTES / 100e9, BYTES / 10e9)
    assert fit_lines(np.zeros(len(BYTES), np.int64), BYTES, seconds).worst_miss[0] > 0.5


def test_no_measurements_no_lines() -> None:
    lines = fit_lines(np.zeros(0, np.int64), np.zeros(0), np.zeros(0))
    assert len(lines.latency_s) == len(lines.worst_miss) == 0
