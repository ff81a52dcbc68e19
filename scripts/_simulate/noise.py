"""Runs that are made up of recorded noise: the true ratio of every pair of arms is 1.

Rounds are drawn from those of a recorded process, two neighbours at a time, and blurred, so that many can be drawn of
few.  Each process differs from its code by what processes were seen to differ by (`scripts._simulate.offsets`).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from scipy.special import ndtr  # type: ignore[import-untyped]  # it carries no type hints

from scripts._simulate.disturbance import Logs
from scripts._simulate.offsets import Offsets
from scripts._simulate.recordings import Experiment, Floats

__all__ = ["Arms", "Noise", "Sample"]

_NEIGHBOURS = 2
"""Rounds that are drawn together: neighbours are a little alike (their correlation is below 0.1)."""
_OTHERS = 2
"""Arms, besides the baseline, that all others are paired with: leaders."""
_BLUR = 0.9
"""Times spread * n**-0.2 is the bandwidth (Silverman's rule)."""
_HALVINGS = 30


@dataclass(frozen=True, slots=True)
class _Cloud:
    """Recorded deviations of some rows from their middle, and the bandwidth with which each is blurred."""

    logs: Floats
    blur: Floats

    def drawn(self, rng: np.random.Generator, places: np.ndarray) -> Floats:
        rounds = self.logs[:, places]
        return np.asarray(rounds + self.blur[:, None] * rng.standard_normal(rounds.shape))


@dataclass(frozen=True, slots=True)
class Arms:
    """Of an experiment: what the suite knows of each arm, and the places of those that all are paired with."""

    bytes_moved: int
    backends: tuple[str, ...]
    parallel: tuple[bool, ...]
    ranked: tuple[bool, ...]
    against: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Sample:
    """An experiment that was made up: for each process an array with a row an arm and a column a round."""

    arms: Arms
    alone: list[Floats]
    """Logs of each arm's seconds."""
    paired: list[list[Floats]]
    """For each arm of `arms.against`, and each process, the logs of all arms' ratios to it."""


class Noise:
    """Recorded noise; `logs` are those of the experiments under one way to have the value of a batch.

    Of more experiments than `most`, so many are drawn from; what processes differ by comes from all.
    """

    def __init__(self, experiments: Sequence[Experiment], logs: Logs, most: int = 40, seed: int = 1) -> None:
        rng = np.random.default_rng(seed)
        self._offsets = Offsets(experiments, logs)
        every = -(-len(experiments) // most)
        experiments, logs = experiments[::every], logs[::every]
        self._arms = [_arms(each, rng) for each in experiments]
        self._alone = [[_cloud(visit) for visit in visits] for visits in logs]
        self._paired = [
            [[_cloud(visit - visit[one]) for one in arms.against] for visit in visits]
            for arms, visits in zip(self._arms, logs, strict=True)
        ]

    def run(self, rng: np.random.Generator, rounds: int, processes: int) -> Iterator[Sample]:
        """One run of all experiments, with so many rounds in all processes together."""
        each = rounds // processes
        for arms, alone, paired in zip(self._arms, self._alone, self._paired, strict=True):
            sample = Sample(arms, [], [[] for _ in arms.against])
            for _ in range(processes):
                visit = int(rng.integers(len(alone)))
                count = alone[visit].logs.shape[1]
                starts = rng.integers(0, count, (each + _NEIGHBOURS - 1) // _NEIGHBOURS)
                places = ((starts[:, None] + np.arange(_NEIGHBOURS)) % count).ravel()[:each]
                offset = self._offsets.drawn(rng, arms)[:, None]
                sample.alone.append(alone[visit].drawn(rng, places) + offset)
                for one, cloud, of in zip(arms.against, paired[visit], sample.paired, strict=True):
                    of.append(cloud.drawn(rng, places) + offset - offset[one])
            yield sample


def _arms(experiment: Experiment, rng: np.random.Generator) -> Arms:
    roles = experiment.roles
    candidates = [arm for arm, role in enumerate(roles) if role == "candidate"]
    others = rng.permutation(candidates)[:_OTHERS].tolist()
    return Arms(
        experiment.bytes_moved,
        experiment.backends,
        experiment.parallel,
        tuple(role in ("baseline", "candidate") for role in roles),
        (roles.index("baseline"), *others),
    )


def _cloud(logs: Floats) -> _Cloud:
    low, high = np.quantile(logs, (0.25, 0.75), axis=1)
    spread = np.minimum((high - low) / 1.349, logs.std(axis=1))
    blur = np.maximum(_BLUR * spread * logs.shape[1] ** -0.2, 1e-6)
    shrink = spread / np.sqrt(spread**2 + blur**2)  # blurring must not make it wider
    return _Cloud((logs - _middle(logs, blur)[:, None]) * shrink[:, None], blur * shrink)


def _middle(logs: Floats, blur: Floats) -> Floats:
    """The median of each row once it is blurred."""
    low, high = logs.min(axis=1), logs.max(axis=1)
    for _ in range(_HALVINGS):
        middle = (low + high) / 2
        below = ndtr((middle[:, None] - logs) / blur[:, None]).mean(axis=1) < 0.5
        low, high = np.where(below, middle, low), np.where(below, high, middle)
    return np.asarray((low + high) / 2)
