"""In which proportion visits take their time: as far as can be told before they are made."""

from __future__ import annotations

from dataclasses import dataclass

from bench.plan.experiments import Experiment, weight
from bench.plan.network_time import BESIDE_S, FEWEST_S, JUDGED_STEPS, size_of
from kernels.networks.case import NetworkCase

__all__ = ["Rates", "Size", "by_weight", "in_rounds", "preparing", "sort_of"]

_MEGABYTE = 0.07
"""What a megabyte of a case adds to preparing and judging an arm, in what those of a small case take."""

Rates = tuple[float, float]
"""Seconds that each unit takes of what is fixed, and of what grows with a case."""


@dataclass(frozen=True, slots=True)
class Size:
    """Of a visit, in arms of a small case: what is there however small the case is, and what grows with it."""

    fixed: float
    grows: float = 0.0
    usual: Rates | None = None
    """On two good cores; None where small cases tell enough of large ones."""

    @property
    def units(self) -> float:
        """Of both."""
        return self.fixed + self.grows

    def at(self, rates: Rates) -> float:
        """The seconds that it takes."""
        return self.fixed * rates[0] + self.grows * rates[1]


def preparing(experiment: Experiment, process: int) -> Size:
    """Of preparing and judging its arms."""
    case, arms = experiment.case, len(experiment.arms_in(process))
    if isinstance(case, NetworkCase):
        steps = 1.0 if case.direction == "forward" else JUDGED_STEPS
        return Size(arms, arms * steps * size_of(case, len(experiment.arms)), BESIDE_S)
    return Size(arms, arms * _MEGABYTE * case.bytes_moved / 1e6)


def in_rounds(experiment: Experiment, process: int) -> Size:
    """Of its fewest rounds."""
    case, arms = experiment.case, len(experiment.arms_in(process))
    if isinstance(case, NetworkCase):
        return Size(arms, arms * size_of(case, len(experiment.arms)), FEWEST_S)
    return by_weight(experiment, process)


def by_weight(experiment: Experiment, process: int) -> Size:
    """Of all its rounds."""
    return Size(weight(experiment, process))


def sort_of(experiment: Experiment) -> str:
    """What tells little of others, however alike in weight: a cold case, or a network; one that is trained is judged
    in another way."""
    case = experiment.case
    return f"network {case.direction}" if isinstance(case, NetworkCase) else case.cache
