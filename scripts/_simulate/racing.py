"""What is saved by stopping to measure arms that cannot win, and how often one of those would have been close."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from bench.stats.verdicts import alone
from scripts._simulate.disturbance import Logs
from scripts._simulate.figures import Figure
from scripts._simulate.recordings import Experiment, Floats

__all__ = ["racing_table"]

_FIRST = (3, 4, 6)
"""Rounds in a process after which an arm may be dropped."""
_BEHIND = (0.05, 0.10, 0.20)
"""By how much it has to be behind the leader."""
_ERRORS = 3.0
_CLOSE = 0.05
"""An arm that ends so near to the leader should not have been dropped."""


@dataclass(frozen=True, slots=True)
class _Race:
    """One experiment in one process: seconds with and without racing, and arms."""

    all_s: float
    kept_s: float
    ranked: int
    dropped: int
    close: int
    """Arms that were dropped, though they end near to the leader."""


def racing_table(name: str, experiments: Sequence[Experiment], logs: Logs) -> Iterator[Figure]:
    """Of each rule: the share of the timed seconds that it saves, and arms dropped in error; in per cent."""
    for first in _FIRST:
        for behind in _BEHIND:
            races = [
                _race(experiment, number, visits, first, behind)
                for experiment, visits in zip(experiments, logs, strict=True)
                for number in range(len(visits))
            ]
            row = f"{first} rounds, behind by {100 * behind:g} %"
            dropped = sum(race.dropped for race in races)
            kept_s, all_s = sum(race.kept_s for race in races), sum(race.all_s for race in races)
            yield Figure(name, row, "time saved", 100 * (1 - kept_s / all_s))
            yield Figure(name, row, "dropped", 100 * dropped / sum(race.ranked for race in races))
            close = sum(race.close for race in races)
            yield Figure(name, row, "of them within 5 % at the end", 100 * close / max(dropped, 1))


def _race(experiment: Experiment, number: int, visits: Sequence[Floats], first: int, behind: float) -> _Race:
    """Controls stop after `first` rounds, the ranked ones when they are out, the baseline never."""
    seconds, visit = experiment.visits[number].batch, visits[number]
    ranked = [arm for arm, role in enumerate(experiment.roles) if role in ("baseline", "candidate")]
    leader = min(ranked, key=lambda arm: float(np.median(visit[arm, :first])))
    beaten = {
        arm
        for arm in ranked
        if experiment.roles[arm] != "baseline"
        and _hopeless(visit[arm, :first] - visit[leader, :first], behind)
    }
    final = [float(np.mean([np.median(each[arm]) for each in visits])) for arm in range(len(visit))]
    best = min(final[arm] for arm in ranked)
    out = beaten | (set(range(len(visit))) - set(ranked))
    return _Race(
        all_s=float(seconds.sum()),
        kept_s=sum(float(seconds[arm, : first if arm in out else None].sum()) for arm in range(len(visit))),
        ranked=len(ranked),
        dropped=len(beaten),
        close=sum(final[arm] - best < math.log1p(_CLOSE) for arm in beaten),
    )


def _hopeless(logs: Floats, behind: float) -> bool:
    pair = alone({(1, number): math.exp(value) for number, value in enumerate(logs.tolist())})
    return pair is not None and pair.log_ratio - _ERRORS * pair.se > math.log1p(behind)
