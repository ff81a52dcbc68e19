"""The timed loop.

The garbage collector is off inside.  Each call is followed by the backend's `sync`, as a caller who needs the
result would do it.  A result is dropped before the next call, as in ``timeit``.  Both are the same for every arm,
and the floor arm shows what they cost.
"""

from __future__ import annotations

import gc
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from functools import partial
from itertools import chain
from operator import call as called
from typing import Any

from bench.machine.clocks import clock

__all__ = ["Call", "timed", "without_gc"]

Call = Callable[[], Any]
_call: Callable[[Call], Any] = called


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


def timed(
    calls: Iterable[Call], sync: Callable[[Any], None], held: list[Any], now: Callable[[], float] = clock
) -> float:
    """Seconds that all `calls` take, each synchronised, on the clock `now`.

    `held` has the result of the call before, if any, which nobody else should have: it is dropped inside the
    timed region, as every result before the next call is, since for a large one that costs as much as the
    kernel.  It ends up with the last call's result.
    """
    loop = partial(_loop, chain(calls), sync, held)  # a chain does not tell how many calls are left
    steps: tuple[Callable[[], Any], ...] = (now, loop, now)
    with without_gc():
        # No frame holds the first reading while calls run, nor is the clock looked up again after them.
        began, result, ended = map(_call, steps)
    held.append(result)
    return float(ended - began)


def _loop(calls: Iterable[Call], sync: Callable[[Any], None], held: list[Any]) -> Any:
    """All calls are made from one line: who is called cannot see whose result is looked at."""
    held.clear()
    result = None
    for call in calls:
        result = None
        result = call()
        sync(result)
    return result
