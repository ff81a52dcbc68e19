"""What slow CPUs do to a batch's time, and what is left when the CPU-speed reading is taken into account."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence

import numpy as np

from bench.stats.process_spread import size
from bench.stats.slow_cpus import SlowCpus
from scripts._simulate.figures import Figure
from scripts._simulate.recordings import Experiment, Floats, Visit

__all__ = ["CANDIDATES", "SUITE", "Logs", "disturbance_table", "kinds"]

Logs = list[list[Floats]]
"""Of each experiment and visit the logs of seconds per call, a row an arm and a column a round."""

SUITE = "median, a slope a class beyond 10 %"
"""What the suite does (`bench.stats.slow_cpus`)."""
_MAD = 1.4826
"""Times the median absolute deviation is the standard deviation of normal samples."""

_Pick = Callable[[Visit], Floats]


def kinds(experiment: Experiment) -> list[str]:
    """Of each of its arms the class that slow CPUs slow down alike."""
    moved = size(experiment.bytes_moved)
    return [f"{'parallel' if parallel else 'serial'} {moved}" for parallel in experiment.parallel]


def _shared(experiment: Experiment, visit: Visit) -> Floats:
    """Of each arm's rounds, the mean reading of the arms of its kind."""
    of, found = np.array(experiment.parallel), visit.reading.copy()
    for kind in (True, False):
        if (of == kind).any():
            found[of == kind] = visit.reading[of == kind].mean(axis=0)
    return found


def _median(visit: Visit) -> Floats:
    return visit.seconds


def _quartile(visit: Visit) -> Floats:
    return visit.q25


def _waited_off(visit: Visit) -> Floats:
    return np.maximum(visit.mean - visit.waited, 0.3 * visit.mean)  # many threads wait at once


def _plain(pick: _Pick) -> Callable[[Sequence[Experiment]], Logs]:
    return lambda experiments: [[np.log(pick(visit)) for visit in each.visits] for each in experiments]


def _modelled(pick: _Pick, slope: float | None = None) -> Callable[[Sequence[Experiment]], Logs]:
    """At the usual speed of the CPUs, with `slope` or the suite's."""

    def way(experiments: Sequence[Experiment]) -> Logs:
        logs = _plain(pick)(experiments)
        slow = SlowCpus()
        readings = [[_shared(experiment, visit) for visit in experiment.visits] for experiment in experiments]
        for reading in (value for some in readings for each in some for value in each.ravel().tolist()):
            slow.see(reading)
        excesses = [[np.vectorize(slow.excess)(each) for each in some] for some in readings]
        for experiment, visits, beyond in zip(experiments, logs, excesses, strict=True):
            for visit, x in zip(visits, beyond, strict=True):
                for arm, kind in enumerate(kinds(experiment)):
                    slow.learn(kind, list(zip(visit[arm].tolist(), x[arm].tolist(), strict=True)))
        found: Logs = []
        for experiment, visits, beyond in zip(experiments, logs, excesses, strict=True):
            each = np.array([slow.slope(kind) if slope is None else slope for kind in kinds(experiment)])
            found.append([visit - each[:, None] * x for visit, x in zip(visits, beyond, strict=True)])
        return found

    return way


def _own_slopes(experiments: Sequence[Experiment]) -> Logs:
    """Corrected with a least-squares slope of each arm's own, in each process."""
    usual = float(np.median(np.concatenate([v.reading.ravel() for e in experiments for v in e.visits])))
    found: Logs = []
    for experiment in experiments:
        logs = [np.log(visit.seconds) for visit in experiment.visits]
        readings = [np.log(visit.reading / usual) for visit in experiment.visits]
        found.append([y - _least_squares(y, x) * x for y, x in zip(logs, readings, strict=True)])
    return found


def _least_squares(y: Floats, x: Floats) -> Floats:
    x = x - x.mean(axis=1, keepdims=True)
    y = y - y.mean(axis=1, keepdims=True)
    return np.asarray(
        (x * y).sum(axis=1, keepdims=True) / np.maximum((x * x).sum(axis=1, keepdims=True), 1e-12)
    )


CANDIDATES: Mapping[str, Callable[[Sequence[Experiment]], Logs]] = {
    "median of parts": _plain(_median),
    "lower quartile of parts": _plain(_quartile),
    "mean": _plain(lambda visit: visit.mean),
    "mean less waiting": _plain(_waited_off),
    "median, own slope of each arm": _own_slopes,
    "median, slope 0.5 beyond 10 %": _modelled(_median, 0.5),
    SUITE: _modelled(_median),
    "lower quartile, a slope a class beyond 10 %": _modelled(_quartile),
}
"""Ways to have one value of a batch, by name."""


def disturbance_table(table: str, experiments: Sequence[Experiment]) -> Iterator[Figure]:
    """Errors between identical arms, processes and rounds under each candidate, in per cent."""
    for name, way in CANDIDATES.items():
        logs = way(experiments)
        twins = np.abs(_twin_errors(experiments, logs))
        if twins.size:
            yield Figure(table, name, "twin, median", 100 * float(np.median(twins)))
            yield Figure(table, name, "twin, rms", 100 * math.sqrt(float((twins**2).mean())))
        for words, spreads in (
            ("process", _between(experiments, logs)),
            ("round", _within(experiments, logs)),
        ):
            for kind in ("serial", "parallel"):
                some = [
                    value for of, values in sorted(spreads.items()) if of.startswith(kind) for value in values
                ]
                if some:
                    sd = _MAD * float(np.median(np.abs(some)))
                    yield Figure(table, name, f"{words}, {kind}", 100 * sd)


def _twin_errors(experiments: Sequence[Experiment], logs: Logs) -> Floats:
    found = []
    for experiment, visits in zip(experiments, logs, strict=True):
        if "twin" in experiment.roles and "baseline" in experiment.roles:
            twin, base = experiment.roles.index("twin"), experiment.roles.index("baseline")
            found += [float(np.median(visit[twin] - visit[base])) for visit in visits]
    return np.array(found)


def _between(experiments: Sequence[Experiment], logs: Logs) -> dict[str, list[float]]:
    """Of each class: differences between two processes of an arm over the root of two; what all arms share is off."""
    found: dict[str, list[float]] = {}
    for experiment, visits in zip(experiments, logs, strict=True):
        values = [np.median(visit, axis=1) for visit in visits]
        for first in range(len(values)):
            for second in range(first):
                difference = values[first] - values[second]
                difference = (difference - np.median(difference)) / math.sqrt(2)
                for name, value in zip(kinds(experiment), difference, strict=True):
                    found.setdefault(name, []).append(float(value))
    return found


def _within(experiments: Sequence[Experiment], logs: Logs) -> dict[str, list[float]]:
    """Of each class: how far each round's log ratio to the baseline is from its middle."""
    found: dict[str, list[float]] = {}
    for experiment, visits in zip(experiments, logs, strict=True):
        base = experiment.roles.index("baseline") if "baseline" in experiment.roles else 0
        for visit in visits:
            paired = visit - visit[base]
            apart = paired - np.median(paired, axis=1, keepdims=True)
            for arm, name in enumerate(kinds(experiment)):
                if arm != base:
                    found.setdefault(name, []).extend(apart[arm].tolist())
    return found
