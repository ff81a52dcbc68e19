"""Latency and bandwidth of an arm, fitted to its times over sizes: seconds = latency + bytes / bandwidth.

The postal model of Hockney (Parallel Computing 20, 1994, "The communication challenge for MPP"),
by least squares of the *relative* misses, so that small tensors count as much as large ones.
Caches bend the real curve, so the largest miss is part of the answer.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

__all__ = ["Lines", "fit_lines"]

_Floats = npt.NDArray[np.float64]


class Lines(NamedTuple):
    """One fitted line per group; NaN where there is none."""

    latency_s: _Floats
    """Seconds of a call that moves nothing, 0 or more."""
    bytes_per_s: _Floats
    """Bytes per second beyond that; NaN where larger tensors take no longer."""
    worst_miss: _Floats
    """The largest |fitted - measured| / measured."""


def fit_lines(groups: npt.NDArray[np.int64], bytes_moved: _Floats, seconds: _Floats) -> Lines:
    """Fit every group at once.

    All are 1-D and of one length: `groups` numbers each measurement's group from 0 up, `seconds`
    are above 0.  A latency that comes out below 0 is 0, and the bandwidth is fitted again.
    """
    weight = seconds**-2
    total = np.bincount(groups, weight)

    def mean(values: _Floats) -> _Floats:
        return np.asarray(np.bincount(groups, weight * values) / total)

    mean_bytes, mean_seconds = mean(bytes_moved), mean(seconds)
    offset = bytes_moved - mean_bytes[groups]
    with np.errstate(divide="ignore", invalid="ignore"):
        slope = mean(offset * (seconds - mean_seconds[groups])) / mean(offset**2)
        steep = mean(bytes_moved * seconds) / mean(bytes_moved**2)
    slope = np.where(slope > 0, slope, 0.0)
    latency = mean_seconds - slope * mean_bytes
    slope, latency = np.where(latency < 0, steep, slope), np.maximum(latency, 0.0)
    miss = np.abs(latency[groups] + slope[groups] * bytes_moved - seconds) / seconds
    worst = np.zeros(len(total))
    np.maximum.at(worst, groups, miss)
    with np.errstate(divide="ignore"):
        speed = np.where(slope > 0, 1 / slope, np.nan)
    return Lines(latency, speed, worst)
