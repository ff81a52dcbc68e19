"""Arms that are nearly as fast: what chance decides about one of them has to be the same for all.

Else equal arms differ by it: in how many calls a batch has, whose first ones are slower, and in whether whole batches
count, which take several times as long as most of their parts where a call now and then is held up.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence

from bench.plan.experiments import SHOWING
from bench.run.arm_state import ArmState

__all__ = ["count_alike", "near"]

_NEAR = 1.25
"""The largest step in time between neighbours that are near each other: probes of equal arms differ by a tenth."""
_WIDE = 3.0
"""The slowest of those that are near each other takes so many times as long as the fastest, at most."""


def near(states: Sequence[ArmState]) -> Iterator[Sequence[ArmState]]:
    """Those of which a time is known, each with all that are nearly as fast."""
    known = [state for state in states if state.alive and state.least_s > 0]
    return _split(sorted(known, key=lambda state: state.least_s)) if known else iter(())


def count_alike(states: Sequence[ArmState]) -> None:
    """Where one works in bursts, have whole batches count of all that are nearly as fast.

    Copies and the empty call decide about nobody: how fast they are is told by other rules.
    """
    for some in near([state for state in states if state.arm.role not in SHOWING]):
        bursts = any(state.in_bursts for state in some)
        for state in some:
            state.beside_bursts = bursts


def _split(ordered: Sequence[ArmState]) -> Iterator[Sequence[ArmState]]:
    """The arms, ordered by their times, parted where the largest steps are until all others are small enough."""
    times = [state.least_s for state in ordered]
    steps = [later / earlier for earlier, later in itertools.pairwise(times)]
    widest = max(steps, default=1.0)
    if widest <= _NEAR and times[-1] <= _WIDE * times[0]:
        yield ordered
        return
    place = steps.index(widest) + 1
    yield from _split(ordered[:place])
    yield from _split(ordered[place:])
