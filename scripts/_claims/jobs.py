"""Which experiments belong to which claim, and about how long each takes (for the progress bar only)."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial

from scripts._claims import cheap, dying, remedy, saturation, sparsity
from scripts._claims.model import Outcome

__all__ = ["JOBS", "Job"]


@dataclass(frozen=True, slots=True)
class Job:
    """One experiment, a function of the seeds, and its share of the time."""

    run: Callable[[Sequence[int]], Outcome]
    weight: float


JOBS: Mapping[str, tuple[Job, ...]] = {
    "cheap": (Job(cheap.cost, 9), Job(cheap.additivity, 0.2)),
    "sparse": (
        Job(partial(sparsity.generalisation, "spirals"), 7),
        Job(partial(sparsity.more_zeros, "spirals"), 3),
        Job(partial(sparsity.generalisation, "waves"), 7),
        Job(partial(sparsity.more_zeros, "waves"), 3),
    ),
    "saturation": (
        Job(saturation.derivatives, 0.2),
        Job(saturation.depth, 1.5),
        Job(saturation.convergence, 11),
    ),
    "dead": (Job(dying.far_negative, 0.1), Job(dying.born_dead, 1.5), Job(dying.high_rate, 4)),
    "leaky": (Job(remedy.recovery, 10), Job(remedy.born_alive, 0.2), Job(remedy.still_diverges, 4)),
}
