"""Calls of an arm's slots, one after the other: how many, how long, and what is done between them."""

from __future__ import annotations

from collections.abc import Callable
from statistics import median_low
from typing import Any

from bench.arm.timed_loop import timed
from bench.arrays.call_ring import Slot, Slots
from bench.machine.clocks import clock
from bench.machine.cpu_speed import LOOK_EVERY

__all__ = ["Calls"]

_PARTS = 8
"""A batch is timed in so many parts: a moment without a CPU spoils some of them, and not the batch."""
_PROBES = 4
"""Probes that tell how long a call is: the fastest counts, so one undisturbed probe is enough."""
_LONG_PROBE_S = 0.01
"""Where a probe is longer than this, two are enough: a short disturbance is a small part of it."""
_MOST_DISPATCH = 64
"""Calls whose dispatch is timed, at most: enough for a median."""
_DISPATCH_S = 0.006
"""Seconds that they take together, at most, so that long calls cost an experiment next to nothing more."""


class Calls:
    """Calls the slots of one case in turn.

    `sync` waits for a result; `plant` writes the round's changed elements into a slot's inputs.  Where a
    method takes `held`, it has the result before and, at the end, the last one, as in `timed`.
    """

    def __init__(self, slots: Slots, sync: Callable[[Any], None], plant: Callable[[Slot], None]) -> None:
        self._slots, self._sync, self._plant = slots, sync, plant

    def run(self, count: int, held: list[Any]) -> tuple[float, Slot]:
        """Seconds that `count` calls take together, without what is untimed between bursts, and the last slot."""
        slots, total, left = self._slots, 0.0, count
        while True:
            now = min(left, slots.burst or left)
            taken = slots.take(now)
            slots.establish(taken, self._plant)
            total += timed(taken, self._sync, now, held)
            left -= now
            if not left:
                return total, taken[-1]

    def run_parts(
        self, count: int, held: list[Any], look: Callable[[], None]
    ) -> tuple[list[tuple[int, float]], Slot]:
        """`count` calls in some parts, one after the other: (calls, seconds) of each, and the last slot.

        `look` is called between some of them, untimed.
        """
        parts = min(_PARTS, count)
        counts = [count * (i + 1) // parts - count * i // parts for i in range(parts)]
        spans = []
        for number, now in enumerate(counts):
            if number and number % LOOK_EVERY == 0:
                look()
            seconds, slot = self.run(now, held)
            spans.append((now, seconds))
        return spans, slot

    def probe(self, least_s: float) -> float:
        """Seconds per call, the fastest of several probes of at least `least_s` each (or one call)."""
        count, best, done, held = 1, float("inf"), 0, list[Any]()
        while done < _PROBES:
            seconds, _ = self.run(count, held)
            best = min(best, seconds / count)
            if seconds < least_s and count < 1 << 24 and not self._slots.burst:
                count = max(count + 1, min(count * 16, int(1.2 * least_s / max(best, 1e-9))))
                continue
            done += 1
            if seconds > _LONG_PROBE_S and done >= 2:
                break
        return best

    def spin(self, least_s: float) -> float:
        """Seconds per call, over so many seconds at least."""
        total, count, begin, held = 0.0, 0, clock(), list[Any]()
        while clock() - begin < least_s:
            total, count = total + self.run(1, held)[0], count + 1
        return total / count

    def dispatch(self) -> float:
        """Median seconds from a call to its return, before `sync`; the drop of the result before is part of it."""
        call, sync = self._slots.ring[0].call, self._sync
        times: list[float] = []
        held: list[Any] = []
        self.run(1, held)  # so that each call drops a result, as in `timed`
        begin = clock()
        while not times or (len(times) < _MOST_DISPATCH and clock() - begin < _DISPATCH_S):
            start = clock()
            held.clear()
            held.append(call())
            times.append(clock() - start)
            sync(held[0])
        return median_low(times)
