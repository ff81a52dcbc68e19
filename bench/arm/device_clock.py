"""What a device's own clock says of calls, and whether the device has warmed up."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from operator import attrgetter
from statistics import median
from typing import Any

from bench.arm.timed_loop import Call, without_gc
from bench.arrays.gpu_ring import CardSlots
from bench.machine.clocks import clock
from kernels.gpu.card import Card

__all__ = ["Queue", "device_seconds", "queued_seconds", "settles", "settles_again", "steady"]

_SAMPLES = 32
"""Times that are taken, at most."""
_MOST_S = 0.2
"""Seconds that they take together, at most."""
_LAUNCHED = 8
"""Calls between two marks, where they are short: what a mark itself takes is a small part of them."""
_LONG_S = 1e-3
"""Seconds of a call that stands alone between two marks."""
_MOST_HOLDS = 256
"""How often some 100 us a device is held at most before calls are given up that never queue up behind it."""
_QUEUED = 64
"""Calls that are launched before one waits for them all: as many as a graph has."""
_WITHIN = 0.01
"""Two windows that differ by no more than this share show clocks that have settled."""
_WINDOW_S = 0.05
"""Seconds of work in a window."""
_STEADY_S = 1.0
"""Seconds that a card may take at most until its clocks have settled."""
_AGAIN_WITHIN = 0.03
"""The same before a batch, where a card may have been idle meanwhile: the share,"""
_AGAIN_WINDOW_S = 0.002
"""the window,"""
_AGAIN_S = 0.05
"""and the most that it takes."""

Sync = Callable[[Any], None]
Window = Callable[[float], float]
"""Works for so many seconds at least; seconds per call."""


def device_seconds(slots: CardSlots, sync: Sync) -> float | None:
    """Median seconds of a call on the device's own clock; None where no calls queued up.

    Of a framework without events it is what its profiler says of some calls, the mean; None where it has none, and in
    place, where a call consumes its input.

    The device is kept busy while some calls are launched, so that no launch is waited for between the two marks.  What
    the marks take without a call between them is taken off.
    """
    if slots.card is None:
        return None
    if slots.card.mark() is None:
        return _profiled_seconds(slots.card, slots, sync)
    queue = Queue(slots.card, sync)

    def span(count: int) -> float | None:
        calls = [slots.take(1)[0].call for _ in range(count)]
        if slots.case.cache == "cold":
            slots.evict()
        return queue.span(calls)

    first = span(1)  # compiles what holds the device
    begin, count = (
        clock(),
        1 if first is None or first > _LONG_S else min(_LAUNCHED, slots.burst or _LAUNCHED),
    )
    times: list[float] = []
    while queue.holds <= _MOST_HOLDS and len(times) < _SAMPLES and (not times or clock() - begin < _MOST_S):
        full, empty = span(count), span(0)
        if full is not None and empty is not None:
            times.append((full - empty) / count)
    return max(median(times), 0.0) if times else None


def _profiled_seconds(card: Card, slots: CardSlots, sync: Sync) -> float | None:
    if slots.case.placement == "inplace":
        return None
    count = min(_LAUNCHED, slots.burst or _LAUNCHED)
    calls = [slots.take(1)[0].call for _ in range(count)]

    def run() -> None:
        for call in calls:
            result = call()
        sync(result)

    run()
    if slots.case.cache == "cold":
        slots.evict()
    seconds = card.profile(run, count)
    return None if seconds is None else seconds / count


class Queue:
    """Calls that queue up behind a busy device; it is held for longer, once they came too late."""

    def __init__(self, card: Card, sync: Sync) -> None:
        self._card, self._sync, self.holds = card, sync, 1

    def span(self, calls: Sequence[Call]) -> float | None:
        """Seconds between marks before and after all `calls`; None where the device came to the first too soon."""
        card = self._card
        card.hold(self.holds)
        start, result = card.mark(), None
        for call in calls:
            result = call()
        end = card.mark()
        late = card.passed(start)
        if calls:
            self._sync(result)
        seconds = card.seconds(start, end)
        if not late:
            return seconds
        self.holds *= 2
        return None


def queued_seconds(slots: CardSlots, sync: Sync) -> float | None:
    """Median seconds of a call among many that are launched one after the other, and waited for once.

    None in place, where a call needs a fresh input each time.  A callable that can launch many calls at once (`queued`,
    which says how many in `calls`) does so here, and nowhere else, where the backend is one of the suite's own.
    """
    if slots.case.placement == "inplace":
        return None
    launch, each = _queued_of(slots)
    launches = max(1, _QUEUED // each)
    begin, times = clock(), list[float]()
    while len(times) < _SAMPLES and (not times or clock() - begin < _MOST_S):
        calls = [launch(slot.call) for slot in (slots.take(1)[0] for _ in range(launches))]
        if slots.case.cache == "cold":
            slots.evict()
        with without_gc():
            start = clock()
            for call in calls:
                result = call()
            sync(result)
            took_s = clock() - start
        times.append(took_s / (launches * each))
    return median(times)


def _queued_of(slots: CardSlots) -> tuple[Callable[[Call], Call], int]:
    """What launches calls when one waits for many, of a slot's call; and how many it launches."""
    queued = getattr(slots.ring[0].call, "queued", None) if slots.trusted else None
    return (_itself, 1) if queued is None else (attrgetter("queued"), int(queued.calls))


def _itself(call: Call) -> Call:
    return call


def settles(spin: Window) -> bool:
    """Have a card at work until its clocks are as they stay; False if they are not, for all that."""
    return steady(spin, _STEADY_S)


def settles_again(spin: Window) -> bool:
    """The same for a card that has been idle while others worked, or looked at results."""
    return steady(spin, _AGAIN_S, window_s=_AGAIN_WINDOW_S, within=_AGAIN_WITHIN)


def steady(
    window: Window,
    most_s: float,
    clock: Callable[[], float] = clock,
    *,
    window_s: float = _WINDOW_S,
    within: float = _WITHIN,
) -> bool:
    """Work until two windows in a row take the same time per call, within a share; False if `most_s` is not enough."""
    end = clock() + most_s
    before = window(window_s)
    while clock() < end:
        now = window(window_s)
        if abs(now - before) <= within * before:
            return True
        before = now
    return False
