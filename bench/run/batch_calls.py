"""How many calls make a batch: as many as its length takes, and equally many for arms that are nearly as fast.

The first calls of a batch take longer, since another arm had the caches before: of few calls they are a larger part.
Among equal arms of 1 Mi elements, one with half again as many calls a batch took some 5 % less time a call, in each of
its processes.  So what probes differ by by chance must not decide about it.
"""

from __future__ import annotations

import itertools
import math
from collections import defaultdict
from collections.abc import Iterator, Sequence

from bench.run.arm_state import ArmState

__all__ = ["LONG_BATCH_S", "agree", "calls_for"]

LONG_BATCH_S = 0.03
"""The length of a batch of long calls.  The warm-up is one whole call there, so a batch has at least 2, and as many as
fit into this: most of the time goes into what is timed."""
_MOST_LONG = 6
"""Calls of such a batch, at most: beyond that the warm-up is a small part anyway."""
_NEAR = 1.25
"""Arms are told apart by less than this; probes of equal ones differ by a tenth."""
_WIDE = 3.0
"""The slowest of those that make equally many calls takes so many times as long as the fastest, at most: its batches
are so many times as long as they had to be."""


def calls_for(per_call_s: float, batch_s: float) -> int:
    """How many calls of that length make a batch."""
    per_call_s = max(per_call_s, 1e-9)
    return max(min(max(math.ceil(LONG_BATCH_S / per_call_s), 2), _MOST_LONG), math.ceil(batch_s / per_call_s))


def agree(states: Sequence[ArmState]) -> None:
    """Have arms whose times are near make equally many calls a batch: as many as the one among them with the most."""
    alike: defaultdict[float, list[ArmState]] = defaultdict(list)
    for state in states:
        if state.alive and _per_call_s(state) > 0:
            alike[state.batch_s].append(state)
    for some in alike.values():
        for near in _near(sorted(some, key=_per_call_s)):
            most = max(state.iterations for state in near)
            for state in near:
                state.iterations = most


def _per_call_s(state: ArmState) -> float:
    """The least that a call of it was seen to take."""
    return min((batch.seconds for batch in state.batches), default=state.probed_s)


def _near(ordered: Sequence[ArmState]) -> Iterator[Sequence[ArmState]]:
    """The arms, ordered by their times, split where the largest steps are until all others are small enough."""
    times = [_per_call_s(state) for state in ordered]
    steps = [later / earlier for earlier, later in itertools.pairwise(times)]
    widest = max(steps, default=1.0)
    if widest <= _NEAR and times[-1] <= _WIDE * times[0]:
        yield ordered
        return
    place = steps.index(widest) + 1
    yield from _near(ordered[:place])
    yield from _near(ordered[place:])
