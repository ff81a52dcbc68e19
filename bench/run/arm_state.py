"""What the coordinator knows of one arm while an experiment runs."""

from __future__ import annotations

from dataclasses import dataclass, field
from statistics import median

import numpy as np
import numpy.typing as npt

from bench.messages import Finished, Loaded, Prepared
from bench.plan.experiments import Arm
from bench.stats import counted

__all__ = ["ArmState", "Batch"]

_WAIT = 0.05
"""The share of a batch that its threads may wait for a CPU while it still counts as undisturbed."""
_BURSTS = 1.25
"""An arm works in bursts if its batches, waits taken off, take so many times as long as most of their parts."""
_MOST_WAITING = 2.0
"""So much longer a batch may be by waiting alone; beyond it the whole batch counts, whatever the reason."""


@dataclass(frozen=True, slots=True)
class Batch:
    """One timed batch of an arm, as rounds.csv has it."""

    round: int
    order: int
    iterations: int
    seconds: float
    contended: bool
    mean_s: float = 0.0
    """The mean of its parts in seconds per call, less what slow CPUs explain; `seconds` is the median of those parts
    that a slow CPU had no part in."""
    waited_s: float = 0.0
    """Seconds in the batch in which its threads were ready to run and had no CPU."""
    slow: bool = False
    """Whether a CPU was slower than usual in all of its parts; counts as contended."""
    timed_s: float = 0.0
    """Seconds that the whole batch took."""

    @property
    def undisturbed(self) -> bool:
        """Whether it had its CPUs, but for a moment."""
        return self.waited_s <= _WAIT * self.timed_s


@dataclass(slots=True)
class ArmState:
    """What is known of one arm: how it was prepared, its batches, and how it failed if it did."""

    arm: Arm
    loaded: Loaded | None = None
    prepared: Prepared | None = None
    compiled: Prepared | None = None
    """What a process before the present one answered: one that had compiled (see `bench.run.pool`)."""
    finished: Finished | None = None
    dispatch_s: float | None = None
    device_s: float | None = None
    batch_s: float = 0.0
    """Seconds that a batch should take at least."""
    iterations: int = 1
    batches: list[Batch] = field(default_factory=list)
    contended: int = 0
    """Batches that were disturbed, each time that one was measured."""
    failure: tuple[str, str] | None = None
    waiting: list[float] = field(default_factory=list)
    idle_s: float = 0.0
    idle_cpu_s: float = 0.0
    """Seconds between its batches, and CPU seconds that its process used in them."""

    @property
    def alive(self) -> bool:
        """Whether it still takes part."""
        return self.failure is None

    @property
    def has_compiled(self) -> bool:
        """Whether the present process compiled what a compiler's cache could have held."""
        return self.alive and self.prepared is not None and self.prepared.has_compiled

    @property
    def compile_report(self) -> dict[str, int]:
        """As it stands now; a cache hit is one that no process of this arm had to compile for."""
        latest = self.finished or self.prepared
        report = dict(latest.compile_report) if latest else {}
        first = self.compiled or self.prepared
        before = first.compile_report if first else {}
        if "cache_hit" in report and "cache_hit" in before:
            report["cache_hit"] = min(report["cache_hit"], before["cache_hit"])
        return report

    def fail(self, status: str, reason: str) -> None:
        """Leave the experiment."""
        self.failure = (status, reason)

    @property
    def in_bursts(self) -> bool:
        """Whether it works in bursts: its batches take far longer than most of their parts.

        Waiting for a CPU does that, and is taken off within bounds; what remains is the arm's own doing
        (work put off, memory given back now and then), and only the whole batch has its cost.
        """
        if not self.batches:
            return False
        whole = median(batch.mean_s / batch.seconds for batch in self.batches)
        ran = median((b.mean_s - b.waited_s / b.iterations) / b.seconds for b in self.batches)
        return ran > _BURSTS or whole > _MOST_WAITING

    def seconds(self, batch: Batch) -> float:
        """Seconds per call that a batch counts with."""
        return batch.mean_s if self.in_bursts else batch.seconds

    def timed(self) -> list[counted.Timed]:
        """Its batches, as it is decided which of them count."""
        in_bursts = self.in_bursts
        return [(b.round, b.mean_s if in_bursts else b.seconds, b.contended) for b in self.batches]

    def samples(self) -> npt.NDArray[np.float64]:
        """Seconds per call of each round that counts."""
        return np.array(list(counted.by_round(self.timed()).values()))
