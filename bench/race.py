"""Which of several callables is the fastest, decided once for each kind of work.

Each is called until it is warm, then timed in turn; the least of the probes counts, because what
disturbs a probe only ever makes it longer.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Hashable, Mapping
from itertools import repeat
from typing import Any

import numpy as np

from kernels.tuned_host import caches

__all__ = ["Race"]

_LEAST_PROBES, _MOST_PROBES = 3, 40
_PROBE_S = 1e-3
"""A probe is calls in a row, as a batch is: threads that had to be woken for a single one lose as much as they gain."""
_LONGEST_S = 0.12


class Race:
    """Remembers the winner for every key, so that only the first of many buffers pays."""

    def __init__(self) -> None:
        self._winners: dict[Hashable, str] = {}
        self._flush: np.ndarray | None = None

    def winner(
        self, key: Hashable, ways: Mapping[str, Callable[[], Any]], *, cold: bool = False
    ) -> Callable[[], Any]:
        """The fastest of `ways`, called at least once; the one that won before, if `key` is known.

        `cold`: the caches are overwritten before each probe.
        """
        if key not in self._winners:
            self._winners[key] = self._run(ways, cold)
        call = ways[self._winners[key]]
        call()
        return call

    def __contains__(self, key: Hashable) -> bool:
        """Whether this has been decided."""
        return key in self._winners

    def _run(self, ways: Mapping[str, Callable[[], Any]], cold: bool) -> str:
        if len(ways) == 1:
            return next(iter(ways))
        counts = {name: 1 if cold else _count(call) for name, call in ways.items()}
        best = dict.fromkeys(ways, float("inf"))
        begin = time.perf_counter()
        for number in range(_MOST_PROBES):
            for name, call in ways.items():
                if cold:
                    self._evict()
                best[name] = min(best[name], _probe(call, counts[name]))
            if number + 1 >= _LEAST_PROBES and time.perf_counter() - begin > _LONGEST_S:
                break
        return min(best, key=best.__getitem__)

    def _evict(self) -> None:
        if self._flush is None:
            self._flush = np.zeros(2 * caches().last, np.uint8)
        np.add(self._flush, 1, out=self._flush)


def _probe(call: Callable[[], Any], count: int) -> float:
    start = time.perf_counter()
    for _ in repeat(None, count):
        call()
    return (time.perf_counter() - start) / count


def _count(call: Callable[[], Any]) -> int:
    """How many calls fill a probe; also warms up."""
    call()
    return max(1, int(_PROBE_S / max(_probe(call, 1), 1e-8)))
