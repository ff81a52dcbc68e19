"""How well each arm of a run is known from its rounds: its estimate and the standard error."""

from __future__ import annotations

import numpy as np
import pandas as pd

from bench.stats.estimates import centre
from bench.stats.frames import group_ids
from kernels.api import AXES

__all__ = ["spread_of_rounds"]

_ARM = [*AXES, "backend", "variant", "role"]
_MOST_AT_ONCE = 4_000_000
"""Numbers in memory: 32 MB of them."""


def spread_of_rounds(rounds: pd.DataFrame, *, relative: bool) -> pd.DataFrame:
    """One row per arm: its case, backend, variant and role, ``rounds_value``, ``rounds_se``, ``rounds_count``.

    The value is the log of the seconds or, if `relative`, of the time over the baseline's in the same round: the mean
    over processes of the trimmed mean over rounds.  The error is what the rounds within the processes tell.  Processes
    with one round are left out: nothing is known of their spread.
    """
    rounds = rounds[rounds["seconds"] > 0].drop_duplicates([*_ARM, "process", "round"], keep="last")
    rounds = rounds.assign(log=np.log(rounds["seconds"]))
    processes = _by_process(_over_baseline(rounds) if relative else rounds)
    arms = processes.groupby(group_ids(processes, _ARM))
    named = processes.drop_duplicates(_ARM)[_ARM].reset_index(drop=True)
    named = named.iloc[np.argsort(group_ids(named, _ARM))].reset_index(drop=True)
    return named.assign(
        rounds_value=arms["value"].mean().to_numpy(),
        rounds_se=np.sqrt(arms["variance"].sum().to_numpy()) / arms.size().to_numpy(),
        rounds_count=arms["count"].sum().to_numpy(),
    )


def _over_baseline(rounds: pd.DataFrame) -> pd.DataFrame:
    """The rounds that the baseline has, too, with the log of the time over its."""
    place = group_ids(rounds, [*AXES, "process", "round"])
    base = pd.DataFrame({"place": place, "base": rounds["log"]})[rounds["role"] == "baseline"]
    both = rounds.assign(place=place).merge(base.drop_duplicates("place", keep="last"), on="place")
    return both.assign(log=both["log"] - both["base"])


def _by_process(rounds: pd.DataFrame) -> pd.DataFrame:
    """The arm of each process that has two rounds or more: its estimate, the variance of that, and how many rounds."""
    samples, process = rounds["log"].to_numpy(np.float64), group_ids(rounds, [*_ARM, "process"])
    order = np.argsort(process, kind="stable")
    first = np.flatnonzero(np.diff(process[order], prepend=-1))
    counts = np.diff(first, append=len(order))
    figures = np.empty((len(first), 2))
    for count in np.unique(counts):
        alike = np.flatnonzero(counts == count)
        for some in np.array_split(alike, 1 + alike.size * count // _MOST_AT_ONCE):
            own = samples[order[first[some, None] + np.arange(count)]]
            figures[some] = np.transpose(centre(own))
    named = rounds[_ARM].iloc[order[first]].reset_index(drop=True)
    return named.assign(value=figures[:, 0], variance=figures[:, 1], count=counts)[counts > 1]
