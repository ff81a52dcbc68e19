"""The timed loop.

The garbage collector is off inside.  Each call is followed by the backend's `sync`, as a caller who needs the
result would do it.  A result is dropped before the next call, as in ``timeit``.  Both are the same for every arm,
and the floor arm shows what they cost.
"""

from __future__ import annotations

import gc
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from itertools import repeat
from typing import Any

from bench.arrays.call_ring import Slot
from bench.machine.clocks import clock

__all__ = ["timed", "without_gc"]


@contextmanager
def without_gc() -> Iterator[None]:
    """Keep Python's cycle collector out of a timed region."""
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            gc.enable()


def timed(slots: Sequence[Slot], sync: Callable[[Any], None], count: int, held: list[Any]) -> float:
    """Seconds that `count` calls take, each synchronised.

    With one slot it is called again and again, else slot i serves call i.  `held` has the result of the call
    before, if any, which nobody else should have: it is dropped inside the timed region, as every result
    before the next call is, since for a large one that costs as much as the kernel.  It ends up with the
    last call's result.
    """
    last = slots[-1].call
    calls = [slot.call for slot in slots[: count - 1]] if len(slots) > 1 else repeat(last, count - 1)
    with without_gc():
        start = clock()
        held.clear()
        for call in calls:
            sync(call())
        result = last()
        sync(result)
        seconds = clock() - start
    held.append(result)
    return seconds
