"""By how much recorded processes were off from their code, and processes that are made up from that.

What arms of one kind (serial, parallel) share in a process is drawn once for all of them, the rest for each arm.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from bench.stats.process_spread import Difference, ProcessSpread, size_band, size_class
from bench.stats.verdicts import alone
from scripts._simulate.recordings import Experiment, Floats, as_rounds

if TYPE_CHECKING:
    from scripts._simulate.noise import Arms

__all__ = ["Offsets"]

_SPREADS = np.geomspace(1e-4, 0.5, 80)
"""Standard deviations between processes that are tried."""
_TWINS = "twins"
"""In place of a backend: they stand for all."""


class Offsets:
    """Recorded differences between processes, by class and for kinds.

    Where every arm has one process, the twins stand for all backends; then nothing is known of kinds.
    """

    def __init__(self, experiments: Sequence[Experiment], logs: Sequence[Sequence[Floats]]) -> None:
        own: defaultdict[tuple[str, int], list[Difference]] = defaultdict(list)
        kinds: defaultdict[int, list[Difference]] = defaultdict(list)
        for experiment, visits in zip(experiments, logs, strict=True):
            band = size_band(experiment.bytes_moved)
            for one, other in ((i, j) for i in range(len(visits)) for j in range(i)):
                for backend, each in _own(experiment, [visits[one], visits[other]]):
                    own[size_class(backend, experiment.bytes_moved)].append(each)
                kinds[band] += _of_kinds(experiment, visits[one] - visits[other].mean(axis=1, keepdims=True))
            if len(visits) == 1:
                own[_TWINS, band] += _of_twins(experiment, visits[0])
        self._own = {name: _shares(found) for name, found in own.items()}
        self._kinds = {name: _shares(found) for name, found in kinds.items() if found}

    def drawn(self, rng: np.random.Generator, arms: Arms) -> Floats:
        """Of one process of each arm: the log of its time over its code's."""
        band = size_band(arms.bytes_moved)
        kinds = [_draw(rng, self._kinds.get(band)) for _ in range(2)]
        own = [
            self._own.get(size_class(each, arms.bytes_moved), self._own.get((_TWINS, band)))
            for each in arms.backends
        ]
        return np.array(
            [kinds[parallel] + _draw(rng, found) for parallel, found in zip(arms.parallel, own, strict=True)]
        )


def _draw(rng: np.random.Generator, found: Floats | None) -> float:
    return 0.0 if found is None else float(found[rng.integers(len(found))] * rng.choice((-1.0, 1.0)))


def _own(experiment: Experiment, two: Sequence[Floats]) -> list[tuple[str, Difference]]:
    """Of each arm's backend: the difference of its two processes, less what its kind shares."""
    rounds = [as_rounds([visit[arm] for visit in two]) for arm in range(len(experiment.roles))]
    arms = list(zip(experiment.backends, experiment.parallel, rounds, strict=True))
    found = ProcessSpread().learn(experiment.bytes_moved, arms)
    return [(backend, each) for backend, own in zip(experiment.backends, found, strict=True) for each in own]


def _of_kinds(experiment: Experiment, apart: Floats) -> list[Difference]:
    """What arms of either kind share of the difference of two processes, about what all share."""
    parallel = np.array(experiment.parallel)
    if parallel.all() or not parallel.any():
        return []
    values = np.median(apart, axis=1)
    one, other = (_middle(values[kind]) for kind in (parallel, ~parallel))
    return [Difference((one[0] - other[0]) / math.sqrt(2), (one[1] + other[1]) / 2)]


def _middle(values: Floats) -> tuple[float, float]:
    """The median of some arms' values, and about the variance of its error."""
    return float(np.median(values)), float(values.var() / len(values))


def _of_twins(experiment: Experiment, visit: Floats) -> list[Difference]:
    if "twin" not in experiment.roles:
        return []
    twin, base = (experiment.roles.index(role) for role in ("twin", "baseline"))
    pair = alone(as_rounds([visit[twin] - visit[base]]))
    return [] if pair is None else [Difference(pair.log_ratio, pair.se**2)]


def _shares(found: Sequence[Difference]) -> Floats:
    """One process's share of the differences, each made smaller by as much as rounds may explain of it."""
    values = np.array([each.log_ratio for each in found])
    variances = np.maximum([each.variance for each in found], 1e-12)
    totals = 2 * _SPREADS[:, None] ** 2 + variances
    likeliest = _SPREADS[np.argmin((np.log(totals) + values**2 / totals).sum(axis=1))]
    return np.asarray(values * np.sqrt(likeliest**2 / (2 * likeliest**2 + variances)))
