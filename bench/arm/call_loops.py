"""Calls of an arm's slots, one after the other: how many, how long, and what is done between them."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from itertools import repeat
from operator import itemgetter
from random import SystemRandom
from statistics import median_low
from typing import Any, Protocol, runtime_checkable

from bench.arm.timed_loop import Call, timed
from bench.arrays.call_ring import Slot, Slots
from bench.machine.clocks import clock
from bench.machine.cpu_speed import LOOK_EVERY
from bench.machine.own_usage import Accounts, Cost, accounts
from bench.machine.peak_memory import peak_beyond
from kernels.api import Case

__all__ = ["Audit", "Calls", "Racing"]

_PARTS = 8
"""A batch is timed in so many parts: a moment without a CPU spoils some of them, and not the batch."""
_LONG_PROBE_S = 0.01
"""Where a probe is longer than this, one is enough: a batch has few calls then, whatever comes of it."""
_MOST_DISPATCH = 64
"""Calls whose dispatch is timed, at most: enough for a median."""
_DISPATCH_S = 0.006
"""Seconds that they take together, at most, so that long calls cost an experiment next to nothing more."""
_AUDITED = 0.04
"""The calls of audits as a share of those that are timed, about: a few in a hundred."""
_CHANCE = SystemRandom()
"""The system's own entropy, drawn when it is needed: nobody can know beforehand what comes."""

Change = Callable[[Slot, int], Iterable[Iterable[object]]]
"""Iterators that write into a slot's inputs, one item before each of so many calls (`ChangingInputs.turn`)."""


class Audit(Protocol):
    """Some calls among those of a batch, whose input changes in between."""

    def turn(self, slot: Slot, calls: int) -> Iterable[Iterable[object]]:
        """What changes it: see `Change`."""

    def judge(self, slot: Slot, held: list[Any]) -> None:
        """Look at the last result of the slot, and leave everything as it was."""


@runtime_checkable
class Racing(Protocol):
    """A copy, which is to go the fastest way there is."""

    def raced(self, case: Case) -> bool:
        """Whether it knows that way already; a race beside others' work may go wrong."""

    def way(self, case: Case) -> str:
        """The name of that way; empty where none is known that another process could go."""

    def go(self, case: Case, way: str) -> None:
        """Know it: it won in another process."""

    def choose(self, slots: Slots, calls: Calls) -> None:
        """Find it, where that takes all slots of a case, and leave them with it."""


class Calls:
    """Calls the slots of one case in turn.

    `sync` waits for a result; `plant` writes the round's changed elements into a slot's inputs.  Where a
    method takes `held`, it has the result before and, at the end, the last one, as in `timed`.  `now` is
    the clock that is read.
    """

    def __init__(
        self, slots: Slots, sync: Callable[[Any], None], plant: Callable[[Slot], Sequence[Any]]
    ) -> None:
        self._slots, self._sync, self._plant = slots, sync, plant
        self._accounts: list[tuple[Accounts, Accounts]] = []
        """Before and after each burst of the calls made last."""
        self.cost = Cost()
        """Of the timed calls of the last `run_parts`, without what is done between them."""
        self.call_s = 0.0
        """Seconds per call, of those made last."""

    def run(
        self, count: int, held: list[Any], now: Callable[[], float] = clock, change: Change | None = None
    ) -> tuple[float, Sequence[Slot]]:
        """Seconds that `count` calls take together, without what is untimed between bursts; the last slots called.

        With a `change`, inputs change right before the last call.  Nothing tells it from the calls of a batch: neither
        the time since the one before nor the caller, since no Python code runs in between.
        """
        slots, total, left = self._slots, 0.0, count
        self._accounts = []
        while True:
            burst = min(left, slots.burst or left)
            taken = slots.take(burst)
            slots.establish(taken, self._plant)
            calls = _calls_of(taken, burst)
            if change is not None and burst == left:
                calls = map(itemgetter(-1), zip(*change(taken[-1], burst), calls, strict=False))
            begun = accounts()
            total += timed(calls, self._sync, held, now)
            self._accounts.append((begun, accounts()))
            left -= burst
            if not left:
                self.call_s = total / count
                return total, taken

    def run_parts(
        self,
        count: int,
        held: list[Any],
        look: Callable[[], None],
        audit: Audit | None,
        now: Callable[[], float] = clock,
    ) -> tuple[list[tuple[int, float]], Sequence[Slot]]:
        """`count` calls in some parts, one after the other: (calls, seconds) of each, and the last slots called.

        `look` is called between some of them, untimed.  In some batches there is an `audit` before one of the parts,
        of a number of calls; nobody can foresee when, nor how many.
        """
        parts = min(_PARTS, count)
        counts = [count * (i + 1) // parts - count * i // parts for i in range(parts)]
        audited, audit_calls = _drawn_audit(count, parts) if audit is not None else (None, 0)
        plan = [(calls, False) for calls in counts]
        if audited is not None:
            plan.insert(audited, (min(audit_calls, self._slots.burst or audit_calls), True))
        spans: list[tuple[int, float]] = []
        spent: list[tuple[Accounts, Accounts]] = []
        for calls, is_audit in plan:
            if spans and len(spans) % LOOK_EVERY == 0 and not is_audit:
                look()
            change = audit.turn if audit is not None and is_audit else None
            seconds, taken = self.run(calls, held, now, change)
            if audit is not None and is_audit:
                audit.judge(taken[-1], held)
            else:
                spans.append((calls, seconds))
                spent += self._accounts
        self.cost = Cost.of(spent)
        return spans, taken

    def audit(self, calls: int, held: list[Any], change: Change) -> Slot:
        """The calls of one audit, so many or a burst, as in a batch; the slot called last."""
        _, taken = self.run(min(calls, self._slots.burst or calls), held, clock, change)
        return taken[-1]

    def bunch(self, call_of: Callable[[Slot], Call], count: int) -> Callable[[], object]:
        """So many calls of the next slots, as in a batch, for who times them; one more is made before them.

        That one finds the threads asleep, as the warm-up of a batch does where other memory was written.
        """
        first, *taken = self._slots.take(count + 1)
        self._slots.establish([first, *taken], self._plant)
        call_of(first)()
        calls = [call_of(slot) for slot in taken]

        def made() -> None:
            for call in calls:
                call()

        return made

    def probe(self, least_s: float, probes: int) -> float:
        """Seconds per call, the fastest of so many probes of at least `least_s` each (or one call)."""
        count, best, done, held = 1, float("inf"), 0, list[Any]()
        while done < probes:
            seconds, _ = self.run(count, held)
            best = min(best, seconds / count)
            if seconds < least_s and count < 1 << 24 and not self._slots.burst:
                count = max(count + 1, min(count * 16, int(1.2 * least_s / max(best, 1e-9))))
                continue
            done += 1
            if seconds > _LONG_PROBE_S:
                break
        return best

    def peak_bytes(self) -> int | None:
        """Bytes that a call needs at its peak beyond its inputs and its result (see `bench.machine.peak_memory`)."""
        taken, held = self._slots.take(1), list[Any]()
        self._slots.establish(taken, self._plant)
        return peak_beyond(lambda: timed(_calls_of(taken, 1), self._sync, held))

    def spin(self, least_s: float, held: list[Any] | None = None) -> float:
        """Seconds per call, over so many seconds at least."""
        held = [] if held is None else held
        total, count, begin = 0.0, 0, clock()
        while clock() - begin < least_s:
            total, count = total + self.run(1, held)[0], count + 1
        return total / count

    def dispatch(self, held: list[Any]) -> float:
        """Median seconds from a call to its return, before `sync`; the drop of the result before is part of it.

        `held` has a result, or one is made.
        """
        call, sync = self._slots.ring[0].call, self._sync
        times: list[float] = []
        if not held:
            self.run(1, held)  # so that each call drops a result, as in `timed`
        begin = clock()
        while not times or (len(times) < _MOST_DISPATCH and clock() - begin < _DISPATCH_S):
            start = clock()
            held.clear()
            held.append(call())
            times.append(clock() - start)
            sync(held[0])
        return median_low(times)


def _calls_of(taken: Sequence[Slot], count: int) -> Iterable[Call]:
    """`count` calls: those of the slots in turn; a lone slot's again and again."""
    return repeat(taken[0].call, count) if len(taken) == 1 else [slot.call for slot in taken]


def _drawn_audit(count: int, parts: int) -> tuple[int | None, int]:
    """Before which part of a batch of `count` calls an audit comes, and of how many calls; None for none.

    Of few as of many, up to what a part has.
    """
    most = max(2, count // parts)
    calls = round(math.exp(_CHANCE.uniform(math.log(2), math.log(most))))
    usual = 1 + ((most - 2) / math.log(most / 2) if most > 2 else 2.0)  # and one call after them
    wanted = _CHANCE.random() * usual < _AUDITED * count
    return (_CHANCE.randrange(parts) if wanted else None), calls
