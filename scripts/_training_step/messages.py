"""What scripts/training_step.py asks its arms' processes, and what they answer."""

from __future__ import annotations

from dataclasses import dataclass

from bench.channel import Request
from bench.limits import Count, Seconds

__all__ = ["WORKER", "Begin", "Keep", "Kept", "Peak", "PeakOf", "Spec", "TimedStep"]

WORKER = f"{__package__}.worker"
"""The module that answers."""


@dataclass(frozen=True, slots=True)
class Spec:
    """What is trained.  Elements of one activation: batch * width."""

    network: str
    op: str
    arm: str
    batch: int
    width: int
    depth: int
    slope: float
    threads: int

    def needed_bytes(self) -> int:
        """Roughly what one process holds at its peak: parameters with gradients, and activations."""
        weights = self.depth * self.width * (self.width if self.network == "mlp" else 1)
        return 4 * (2 * weights + (2 * self.depth + 4) * self.batch * self.width) + (400 << 20)


@dataclass(frozen=True, slots=True)
class Kept:
    """Bytes that a forward pass keeps for backward, parameters left out, each piece of memory counted once."""

    in_all: Count
    by_activations: Count
    by_activations_only: Count


@dataclass(frozen=True, slots=True)
class Peak:
    """Bytes of physical memory at most, and what says so."""

    bytes: Count
    told_by: str


@dataclass(frozen=True, slots=True)
class Begin(Request[float]):
    """The first request: make this network and take two steps; the last loss."""

    spec: Spec


@dataclass(frozen=True, slots=True)
class TimedStep(Request[Seconds]):
    """Seconds that one step takes."""


@dataclass(frozen=True, slots=True)
class PeakOf(Request[Peak]):
    """The peak of memory since the network was begun."""


@dataclass(frozen=True, slots=True)
class Keep(Request[Kept]):
    """What one forward pass keeps."""
