"""What measuring a network takes: its products, and a judge who goes over all of its weights in float64.

The figures are of two good cores, for telling minutes from hours and one network from another, not for more.
"""

from __future__ import annotations

from kernels.networks.case import NetworkCase

__all__ = ["BESIDE_S", "FEWEST_S", "JUDGED_STEPS", "LONGEST_S", "least_seconds", "size_of"]

LONGEST_S = 60.0
"""Seconds that an experiment may take whatever its share of the time."""
JUDGED_STEPS = 3.0
"""Preparing and judging a training step take so many times as long, beside its rounds: the judge follows its steps."""
BESIDE_S = (0.1, 0.05)
"""Seconds that preparing and judging an arm take: of the smallest network, and what each small case adds that a
network is as large as."""
FEWEST_S = (0.05, 0.07)
"""The same of its fewest rounds."""
_FLOPS_PER_S = 1e11
_CALLS = 30
"""About what an arm calls at least: gate, probes and rounds of one call each."""
_PARAMETERS = {"forward": 1.3e6, "train_step": 4e5}
"""Weights whose looks take as long as all that is done with a small case: after each batch all are gone over."""
_FLOPS = 1.7e8
"""The same of multiplications and additions: of calls, and of those that the judge makes."""


def least_seconds(case: NetworkCase, arms: int) -> float:
    """What the calls of an experiment take at least."""
    return arms * _CALLS * case.flops / _FLOPS_PER_S


def size_of(case: NetworkCase, arms: int) -> float:
    """Of an experiment, in small cases: 0.0 where it would be so long that it is skipped."""
    if least_seconds(case, arms) > LONGEST_S:
        return 0.0
    return case.parameters / _PARAMETERS[case.direction] + case.flops / _FLOPS
