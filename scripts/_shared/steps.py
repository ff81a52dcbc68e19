"""What the steps of a recorded program tell: how long one takes, and what swapping activations in it saved."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from bench.stats.estimates import Interval, centre
from bench.stats.significance import t_bound
from bench.text.units import percent_text, seconds_text
from kernels.recorder.cases_file import Steps, Used

__all__ = ["FEWEST", "faults_text", "saved_by_swapping", "step_time", "swapped_text"]

FEWEST = 5
"""Steps below which an interval says nothing."""


def step_time(seconds: Sequence[float]) -> Interval | None:
    """Seconds of a step, the trimmed mean with its interval in this process; None of too few."""
    if len(seconds) < FEWEST:
        return None
    found = _middle(np.log(np.array(seconds)))
    return Interval(*(float(np.exp(value)) for value in found))


def saved_by_swapping(theirs: Sequence[float], ours: Sequence[float]) -> Interval | None:
    """The share of a step that went away with our kernels, from pairs of steps; None of too few pairs."""
    if min(len(theirs), len(ours)) < FEWEST:
        return None
    value, lo, hi = _middle(np.log(np.array(ours) / np.array(theirs)))
    return Interval(*(float(-np.expm1(each)) for each in (value, hi, lo)))


def swapped_text(saved: Interval) -> str:
    """``a step took 3.1% less time (2.0% to 4.2%)``; which may be nothing, where the interval holds 0."""
    more = saved.value < 0
    values = (-saved.value, -saved.hi, -saved.lo) if more else (saved.value, saved.lo, saved.hi)
    value, lo, hi = map(percent_text, values)
    sure = "" if saved.lo > 0 or saved.hi < 0 else ", which may be nothing"
    return f"a step took {value} {'more' if more else 'less'} time ({lo} to {hi}){sure}"


def faults_text(steps: Steps, used: Sequence[Used]) -> str | None:
    """Page faults of a step, in activations and with ours, and what one took; None where activations have few."""
    if steps.fault_s is None or steps.page_faults is None:
        return None
    inside = sum(each.calls * (each.page_faults or 0.0) for each in used)
    ours = "" if steps.ours_page_faults is None else f", and {steps.ours_page_faults:,.0f} with ours"
    return (
        f"A step has {steps.page_faults:,.0f} page faults, activations {inside:,.0f}{ours}; "
        f"one took {seconds_text(steps.fault_s)}, shared by the threads."
    )


def _middle(samples: npt.NDArray[np.float64]) -> tuple[float, float, float]:
    value, variance = centre(samples)
    kept = len(samples) - 2 * (len(samples) // 4)
    half = float(t_bound(np.array(kept - 1.0))) * float(np.sqrt(variance))
    return float(value), float(value) - half, float(value) + half
