"""How an arm waits for a device: each timed call is followed by it, so it is bound once, and alike for all."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from bench.arrays.call_ring import Slots
from bench.arrays.gpu_ring import CardSlots
from kernels.gpu.driver import driver_of

__all__ = ["Waiting"]

_MOST_HOLDS = 64
"""How often some 100 us a device is held at most, so that a call stands behind them when it is waited for."""


class Waiting:
    """Waits for results of `slots`, whose backend has `sync`.

    For the suite's own backends it is the least that does (`Card.waiter`).  After a plugin's `sync` the driver waits as
    well: who returns at once, or waits for another stream, gains nothing by it.
    """

    def __init__(self, slots: Slots, sync: Callable[[Any], None]) -> None:
        self._card = slots.card if isinstance(slots, CardSlots) else None
        self._driver = None if self._card is None else driver_of(slots.case.device)
        self._slots, self._sync, self.wait = slots, sync, sync
        if self._card is not None and slots.trusted:
            self.wait = self._card.waiter() or sync
        elif self._driver is not None:
            last = self._driver.waiter()

            def wait(result: Any) -> None:
                sync(result)
                last(result)

            self.wait = wait

    def select(self) -> None:
        """Have this thread wait for the device: in a process of several arms another may have waited meanwhile."""
        if self._driver is not None:
            self._driver.select()

    def why_early(self) -> str | None:
        """Why `sync` does not wait for what was launched, however short it is; None if it does, or nobody can tell.

        The device is held before the call.  Who returns before it was let go has waited for nothing.
        """
        card, holds = self._card, 1
        while card is not None and holds <= _MOST_HOLDS:
            card.hold(holds)
            mark = card.mark()
            if mark is None:
                return None
            result = self._slots.ring[0].call()
            behind = not card.passed(mark)
            self._sync(result)
            if behind:
                return None if card.passed(mark) else "sync returns before the device has begun with the call"
            holds *= 2
        return None
