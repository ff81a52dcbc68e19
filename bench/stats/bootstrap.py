"""How well each arm of a run is known from its rounds: the standard error of its estimate, by bootstrap."""

from __future__ import annotations

import functools

import numpy as np
import numpy.typing as npt
import pandas as pd

from bench.stats.estimates import ESTIMATORS, HEADLINE, Samples
from bench.stats.frames import counted_rounds, group_ids
from kernels.api import AXES

__all__ = ["spread_of_rounds"]

_ARM = [*AXES, "backend", "variant", "role"]
_RESAMPLES = 199
"""Enough for a standard error within 5 %."""
_MOST_AT_ONCE = 4_000_000
"""Numbers in memory: 32 MB of them."""


def spread_of_rounds(rounds: pd.DataFrame, *, relative: bool) -> pd.DataFrame:
    """One row per arm: its case, backend, variant and role, ``rounds_value``, ``rounds_se``, ``rounds_count``.

    The value is the log of the suite's estimate of the seconds or, if `relative`, of the time over the
    baseline's in the same round, and the error that of the log.  Rounds that do not count (`bench.stats.counted`)
    are left out, and so are arms with one round: nothing is known of their spread.
    """
    rounds = rounds[rounds["seconds"] > 0].drop_duplicates([*_ARM, "round"], keep="last")
    rounds = counted_rounds(_over_baseline(rounds) if relative else rounds, _ARM)
    samples, arm = rounds["seconds"].to_numpy(np.float64), group_ids(rounds, _ARM)
    order = np.argsort(arm, kind="stable")
    first = np.flatnonzero(np.diff(arm[order], prepend=-1))
    counts = np.diff(first, append=len(order))
    figures = np.empty((len(first), 2))
    for count in np.unique(counts):
        arms = np.flatnonzero(counts == count)
        for some in np.array_split(arms, 1 + arms.size * _RESAMPLES * count // _MOST_AT_ONCE):
            own = samples[order[first[some, None] + np.arange(count)]]
            figures[some] = np.transpose(_estimated(own, logs=relative))
    named = rounds[_ARM].iloc[order[first]].reset_index(drop=True)
    named = named.assign(rounds_value=figures[:, 0], rounds_se=figures[:, 1], rounds_count=counts)
    return named[counts > 1]


def _over_baseline(rounds: pd.DataFrame) -> pd.DataFrame:
    """The rounds that the baseline has, too, with the log of the speed-up over it; contended if either was."""
    place = group_ids(rounds, [*AXES, "round"])
    base = pd.DataFrame({"place": place, "base_s": rounds["seconds"], "base_contended": rounds["contended"]})
    base = base[rounds["role"] == "baseline"].drop_duplicates("place", keep="last")
    both = rounds.assign(place=place).merge(base, on="place")
    return both.assign(
        seconds=np.log(both["base_s"]) - np.log(both["seconds"]),
        contended=both["contended"] | both["base_contended"],
    )


def _estimated(samples: Samples, *, logs: bool) -> tuple[Samples, Samples]:
    """The values and their errors of arms with equally many rounds, one row each."""
    estimator = ESTIMATORS[HEADLINE]
    value, drawn = estimator(samples), estimator(samples[:, _draws(samples.shape[1])])
    if logs:
        return -value, drawn.std(axis=-1, ddof=1)
    return np.log(value), np.log(drawn).std(axis=-1, ddof=1)


@functools.lru_cache(maxsize=64)
def _draws(size: int) -> npt.NDArray[np.int64]:
    """The places that each resample takes; the same for every arm, so that equal runs stay equal."""
    return np.random.default_rng(size).integers(0, size, (_RESAMPLES, size))
