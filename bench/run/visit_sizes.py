"""In which proportion visits take their time: as far as can be told before they are made."""

from __future__ import annotations

from bench.plan.experiments import Experiment, weight
from bench.plan.network_time import JUDGED_STEPS, size_of
from kernels.networks.case import NetworkCase

__all__ = ["in_rounds", "preparing", "sort_of"]

_MEGABYTE = 0.07
"""What a megabyte of a case adds to preparing and judging an arm, in what those of a small case take."""


def preparing(experiment: Experiment, process: int) -> float:
    """Of what preparing and judging its arms takes; those of a small tensor are 1 each."""
    case, arms = experiment.case, len(experiment.arms_in(process))
    if isinstance(case, NetworkCase):
        steps = 1.0 if case.direction == "forward" else JUDGED_STEPS
        return arms * (1.0 + steps * size_of(case, len(experiment.arms)))
    return arms * (1.0 + _MEGABYTE * case.bytes_moved / 1e6)


def in_rounds(experiment: Experiment, process: int) -> float:
    """Of what its fewest rounds take."""
    case = experiment.case
    if isinstance(case, NetworkCase):
        return len(experiment.arms_in(process)) * (1.0 + size_of(case, len(experiment.arms)))
    return weight(experiment, process)


def sort_of(experiment: Experiment) -> str:
    """What tells little of others, however alike in weight: a network, or a cold case."""
    return "network" if isinstance(experiment.case, NetworkCase) else experiment.case.cache
