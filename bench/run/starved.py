"""Did an arm wait for a CPU during a batch?

A thread that was ready to run and had no CPU shared it with somebody, and the kernel counts the nanoseconds: a
batch that spent a share of its time so is contended.
"""

from __future__ import annotations

from collections.abc import Sequence
from statistics import median

from bench.messages import Sample

__all__ = ["starved", "waiting_share"]

_WAITING = 0.35
"""A batch is timed in parts, whose median forgives as much."""
_TICK_S = 0.004
"""What being pushed off a CPU counts as, where the kernel does not tell how long it was."""


def waiting_share(sample: Sample) -> float:
    """The share of a batch in which the arm's threads were ready to run and had no CPU.

    Where the kernel does not tell how long, each time that one was pushed off counts as a scheduler tick.
    """
    waited_s = sample.usage.waited_s or sample.usage.pushed_off * _TICK_S
    return waited_s / max(sample.ended - sample.began, 1e-9)


def starved(share: float, earlier: Sequence[float]) -> bool:
    """Whether the arm waited for a CPU longer than it is used to.

    `earlier` has the shares of its earlier batches: a pool with more threads than there are CPUs
    waits for itself, and that is part of the arm.
    """
    return share > max(_WAITING, 2 * median(earlier) if earlier else 0.0)
