"""The control arms on a CUDA card: device-to-device copies of the same bytes, and a call that launches nothing.

By torch where it sees the card, else by numba.cuda; each only lends its arrays, its clocks and its copies.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable, Hashable, Mapping
from typing import Any

from bench.arm.device_clock import Queue
from kernels import registry
from kernels.api import Backend, Case
from kernels.gpu.card import Card

__all__ = ["DeviceRace", "Side", "side_of", "why_not"]

_SIDES = {"torch_eager": "torch_copies", "numba_cuda": "numba_copies"}
"""Backends that may lend their arrays, and the module of this room that copies them."""
_PROBES = 7
"""Times that are taken of each way, by turns: the shortest counts, since a disturbance makes one longer."""
_IN_A_ROW = 4
"""Calls of a probe."""

Call = Callable[[], Any]
Sync = Callable[[Any], None]
Ways = Mapping[str, Call]


class Side:
    """A framework's arrays on a card: `backend` handles them, `copies` and `like` make calls and arrays."""

    def __init__(self, name: str) -> None:
        copies = importlib.import_module(f"{__package__}.{_SIDES[name]}")
        self.backend: Any = registry.load(name)
        self.copies: Callable[[Case, Any, Any, Any], Ways] = copies.ways
        self.like: Callable[[Any], Any] = copies.like


class DeviceRace:
    """Remembers the fastest of the ways to copy on a card, by its own clock, for every kind of work."""

    def __init__(self) -> None:
        self._winners: dict[Hashable, str] = {}

    def winner(self, key: Hashable, ways: Ways, card: Callable[[], Card], sync: Sync) -> Call:
        """The fastest of `ways`, called at least once; the one that won before, if `key` is known.

        The first of them on a device that has no clock, or where no call queues up behind its work.
        """
        if key not in self._winners:
            self._winners[key] = _fastest(ways, card(), sync)
        call = ways[self._winners[key]]
        sync(call())
        return call


def _fastest(ways: Ways, card: Card, sync: Sync) -> str:
    for call in ways.values():
        sync(call())  # compiles
    first = next(iter(ways))
    if len(ways) == 1 or card.mark() is None:
        return first
    queue, best = Queue(card, sync), dict[str, float]()
    queue.span([])  # compiles what holds the device
    for _ in range(_PROBES):
        for name, call in ways.items():
            took_s = queue.span([call] * _IN_A_ROW)
            if took_s is not None:
                best[name] = min(took_s, best.get(name, took_s))
    return min(best, key=lambda name: best[name], default=first)


def side_of(device: str) -> Side | str:
    """The first framework that sees `device`; else why torch, or the last that was asked, does not."""
    reasons = []
    for name in _SIDES:
        try:
            backend: Backend = registry.load(name)
        except ImportError as error:
            reasons.append(str(error))
            continue
        reason = backend.why_not(Case("relu", device=device))
        if reason is None:
            return Side(name)
        reasons.append(reason)
    return reasons[0]


def why_not(name: str, device: str) -> str | None:
    """None if the control arm `name` can work on `device`, else a reason."""
    if name == "copy_streaming":
        return "streaming stores are for the caches of CPUs; copy_plain shows the card's limit"
    side = side_of(device)
    return side if isinstance(side, str) else None
