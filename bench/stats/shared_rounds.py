"""What the arms of an experiment share in each round: the machine's part of their times.

All arms of a round are measured within a tenth of a second, one after the other.  When the machine is slow then, it is
slow for most of them, and the ratio of two of them tells nothing of it.  So what a round takes from all arms is taken
off before anything is said of one.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Sequence
from statistics import fmean, median

from bench.stats.verdicts import Rounds

__all__ = ["apart"]


def apart(arms: Sequence[Rounds]) -> tuple[Rounds, list[Rounds]]:
    """How many times as long as usual each round took the arms, by their median, and each arm's times beside that.

    An arm that has a round alone is beside nothing there.  An arm is a part of the median: of few arms, its times
    beside it vary less than it does, and are spread by as much.
    """
    usual = [_usual(rounds) for rounds in arms]
    away: defaultdict[tuple[int, int], list[float]] = defaultdict(list)
    for rounds, level in zip(arms, usual, strict=True):
        for place, seconds in rounds.items():
            away[place].append(math.log(seconds) - level)
    shared = {place: median(logs) for place, logs in away.items()}
    beside: list[Rounds] = [
        {
            place: math.exp((math.log(rounds[place]) - level - shared[place]) * _spread(len(away[place])))
            for place in rounds
            if len(away[place]) > 1
        }
        for rounds, level in zip(arms, usual, strict=True)
    ]
    return {place: math.exp(log) for place, log in shared.items()}, beside


def _usual(rounds: Rounds) -> float:
    """The log of an arm's time: each of its processes counts alike."""
    logs: defaultdict[int, list[float]] = defaultdict(list)
    for (process, _), seconds in rounds.items():
        logs[process].append(math.log(seconds))
    return fmean(map(median, logs.values())) if logs else 0.0


def _spread(arms: int) -> float:
    return math.sqrt(arms / (arms - 1))
