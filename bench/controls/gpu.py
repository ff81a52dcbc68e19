"""The control arms on a CUDA card: device-to-device copies of the same bytes, and a call that launches nothing.

By torch where it sees the card, else by numba.cuda; each only lends its arrays, its clocks and its copies.
"""

from __future__ import annotations

import dataclasses
import importlib
from collections.abc import Callable, Hashable, Iterable, Mapping
from functools import partial
from itertools import repeat
from typing import Any

from bench.arm.device_clock import Queue
from bench.arrays.call_ring import Slots
from bench.arrays.slot import Slot, operands
from kernels import registry
from kernels.api import Backend, Case
from kernels.gpu.card import Card

__all__ = ["CardCopies", "DeviceRace", "Side", "side_of", "why_not"]

_SIDES = {"torch_eager": "torch_copies", "numba_cuda": "numba_copies"}
"""Backends that may lend their arrays, and the module of this room that copies them."""
_PROBES = 7
"""Times that are taken of each way, by turns: the shortest counts, since a disturbance makes one longer."""
_IN_A_ROW = 4
"""Calls of a probe."""

Call = Callable[[], Any]
Sync = Callable[[Any], None]
Ways = Mapping[str, Call]
Bunch = Callable[[], Iterable[Call]]
"""Makes the arrays of a probe's calls ready, untimed; the calls."""


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
        """The fastest of `ways`, called at least once; the one that won before, if `key` is known."""
        bunches = {name: partial(repeat, call, _IN_A_ROW) for name, call in ways.items()}
        call = ways[self.decide(key, bunches, card, sync)]
        sync(call())
        return call

    def decide(
        self, key: Hashable, bunches: Mapping[str, Bunch], card: Callable[[], Card], sync: Sync
    ) -> str:
        """The name of the fastest; the one that won before, if `key` is known.

        The first of them on a device that has no clock, or where no call queues up behind its work.
        """
        if key not in self._winners:
            self._winners[key] = _fastest(bunches, card(), sync)
        return self._winners[key]

    def __contains__(self, key: Hashable) -> bool:
        """Whether this has been decided."""
        return key in self._winners


class CardCopies:
    """Copies of cases on a card, each by the fastest way; `allocates`: each call makes its result anew."""

    def __init__(self, *, allocates: bool) -> None:
        self._race, self._allocates = DeviceRace(), allocates

    def compile(self, side: Side, case: Case, x: Any, dy: Any, out: Any) -> Call:
        """The fastest way for these handles, executed once; of a cold case the usual one until `choose` has raced."""
        ways = self._ways(side, case, x, dy, out)
        if case.cache == "hot" or self.raced(case):
            return self._race.winner(self._alike(case), ways, self._card(side, case), side.backend.sync)
        usual = next(iter(ways.values()))
        side.backend.sync(usual())
        return usual

    def choose(self, side: Side, slots: Slots) -> None:
        """Race the ways of a cold case over its slots, of which the cache has nothing; leaves them with the fastest."""
        case = slots.case

        def ways_of(slot: Slot) -> Ways:
            x, dy, out = operands(case, *slot.handles)
            x, dy = x if isinstance(x, tuple) else (x, dy)
            return self._ways(side, case, x, dy, out)

        ways = {id(slot): ways_of(slot) for slot in slots.ring}

        def bunch(name: str) -> Iterable[Call]:
            taken = slots.take(min(_IN_A_ROW, len(slots.ring)))
            slots.establish(taken, lambda _: ())
            return [ways[id(slot)][name] for slot in taken]

        bunches = {name: partial(bunch, name) for name in next(iter(ways.values()))}
        winner = self._race.decide(self._alike(case), bunches, self._card(side, case), side.backend.sync)
        for slot in slots.ring:
            slot.call = ways[id(slot)][winner]

    def raced(self, case: Case) -> bool:
        """Whether the fastest way is known."""
        return self._alike(case) in self._race

    def _ways(self, side: Side, case: Case, x: Any, dy: Any, out: Any) -> Ways:
        if case.placement == "new" and not self._allocates:
            case, out = dataclasses.replace(case, placement="out"), side.like(x)
        return side.copies(case, x, dy, out)

    def _alike(self, case: Case) -> Case:
        """What a race depends on: whatever the op, the bytes are the same."""
        place = "out" if case.placement == "new" and not self._allocates else case.placement
        return dataclasses.replace(case, op="relu", data="normal", placement=place)

    @staticmethod
    def _card(side: Side, case: Case) -> Callable[[], Card]:
        return partial(side.backend.card, case.device)


def _fastest(bunches: Mapping[str, Bunch], card: Card, sync: Sync) -> str:
    for bunch in bunches.values():
        sync(next(iter(bunch()))())  # compiles
    first = next(iter(bunches))
    if len(bunches) == 1 or card.mark() is None:
        return first
    queue, best = Queue(card, sync), dict[str, float]()
    queue.span([])  # compiles what holds the device
    for _ in range(_PROBES):
        for name, bunch in bunches.items():
            took_s = queue.span(list(bunch()))
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
