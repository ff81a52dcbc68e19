"""How often an interval that two processes give holds what a third one, which they do not know, shows."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

import numpy as np

from bench.stats.process_spread import Difference, ProcessSpread, variance_between
from bench.stats.verdicts import alone, interval_of
from scripts._simulate.disturbance import Logs
from scripts._simulate.figures import Figure
from scripts._simulate.recordings import Experiment, Floats, as_rounds

__all__ = ["coverage_table"]


def coverage_table(table: str, experiments: Sequence[Experiment], logs: Logs) -> Iterator[Figure]:
    """Per cent of ratios over the baseline, by which process was left out.

    `meant` is what 95 % intervals should hold: less than 95, as a third process and its rounds err themselves.
    """
    for left_out in range(max(map(len, logs))):
        spread = ProcessSpread()
        found = []
        for experiment, visits in zip(experiments, logs, strict=True):
            two = [visit for number, visit in enumerate(visits) if number != left_out]
            rounds = [as_rounds([visit[arm] for visit in two]) for arm in range(len(experiment.roles))]
            arms = list(zip(experiment.backends, experiment.parallel, rounds, strict=True))
            found.append((experiment, two, visits[left_out], spread.learn(experiment.bytes_moved, arms)))
        held, meant = zip(*(pair for each in found for pair in _held(spread, *each)), strict=True)
        row = f"process {left_out + 1}"
        yield Figure(table, row, "ratios", len(held), 0)
        yield Figure(table, row, "held", 100 * float(np.mean(held)))
        yield Figure(table, row, "meant", 100 * float(np.mean(meant)))


def _held(
    spread: ProcessSpread,
    experiment: Experiment,
    two: Sequence[Floats],
    third: Floats,
    own: Sequence[Sequence[Difference]],
) -> Iterator[tuple[bool, float]]:
    """Of each candidate: whether the interval holds the third process's ratio, and how probable that was."""
    base = experiment.roles.index("baseline")
    of = [
        spread.spread(backend, experiment.bytes_moved, each)
        for backend, each in zip(experiment.backends, own, strict=True)
    ]
    for arm, role in enumerate(experiment.roles):
        pair = alone(as_rounds([visit[arm] - visit[base] for visit in two]))
        other = alone(as_rounds([third[arm] - third[base]]))
        if role != "candidate" or pair is None or other is None:
            continue
        alike = experiment.parallel[arm] is experiment.parallel[base]
        variance, df = variance_between(of[arm], of[base], alike=alike)
        interval = interval_of(pair, variance, df)
        error = math.hypot(pair.se, other.se, math.sqrt(variance / 2 + variance))
        reach = math.log(interval.hi) - pair.log_ratio
        yield interval.lo <= math.exp(other.log_ratio) <= interval.hi, _normal(reach, error)


def _normal(reach: float, error: float) -> float:
    return math.erf(reach / error / math.sqrt(2)) if error > 0 else 1.0
