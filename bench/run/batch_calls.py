"""How many calls make a batch: as many as its length takes, and equally many for arms that are nearly as fast.

The first calls of a batch take longer, since another arm had the caches before: of few calls they are a larger part.
Among equal arms of 1 Mi elements, one with half again as many calls a batch took some 5 % less time a call, in each of
its processes.  So what probes differ by by chance must not decide about it.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Sequence

from bench.run.arm_state import ArmState
from bench.run.near_arms import near

__all__ = ["LONG_BATCH_S", "agree", "calls_for"]

LONG_BATCH_S = 0.03
"""The length of a batch of long calls.  The warm-up is one whole call there, so a batch has at least 2, and as many as
fit into this: most of the time goes into what is timed."""
_MOST_LONG = 6
"""Calls of such a batch, at most: beyond that the warm-up is a small part anyway."""


def calls_for(per_call_s: float, batch_s: float) -> int:
    """How many calls of that length make a batch."""
    per_call_s = max(per_call_s, 1e-9)
    return max(min(max(math.ceil(LONG_BATCH_S / per_call_s), 2), _MOST_LONG), math.ceil(batch_s / per_call_s))


def agree(states: Sequence[ArmState]) -> None:
    """Have arms whose times are near make equally many calls a batch: as many as the one among them with the most."""
    as_long: defaultdict[float, list[ArmState]] = defaultdict(list)
    for state in states:
        as_long[state.batch_s].append(state)
    for some in as_long.values():
        for alike in near(some):
            most = max(state.iterations for state in alike)
            for state in alike:
                state.iterations = most
