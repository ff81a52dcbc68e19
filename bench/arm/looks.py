"""What is looked at while an arm is timed: whether a call did its work, and did it when and where it was called."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import partial
from random import SystemRandom
from typing import Any

from bench.arm.call_loops import Calls
from bench.arrays.call_ring import Slot, Slots
from bench.judging.changing_inputs import ChangingInputs
from bench.judging.diagnosis import host_view
from bench.judging.plants import output_of, share_memory

__all__ = ["Looks"]

_LAST_CALLS = 8
"""Calls of the audit after the last batch, at most."""
_FEW_CALLS = 3
"""The same where they are long, and what they take together then (`_LAST_S`) is all that it costs."""
_LAST_S = 0.02
_CHANCE = SystemRandom()
_RUSHED = "where its input changes between two calls of a batch: "
"""What a reason begins with that only an audit has found."""


class Looks:
    """Looks at the results of one case's calls, and leaves inputs and memory ready for the next ones.

    A result is there when `sync` returns: its inputs are overwritten before it is looked at.
    """

    def __init__(self, slots: Slots, plants: ChangingInputs, calls: Calls, *, control: bool) -> None:
        self._slots, self._plants, self._calls = slots, plants, calls
        self._backend, self._idle = slots.backend, control or slots.case.n == 0
        self._unwritable: Any = None
        self.audited: str | None = None
        """What the audits since `begin` have found."""

    def begin(self) -> None:
        """Before a batch."""
        self._unwritable = self.audited = None

    @property
    def keeps_one(self) -> bool:
        """Whether a result is kept that cannot be written to: the next one lies elsewhere."""
        return self._unwritable is not None

    def one_of(self, taken: Sequence[Slot]) -> Slot:
        """Of the slots called last one whose result can be looked at: any, where each has its own."""
        own = taken[-1].aliased and self._slots.case.placement != "new"
        return _CHANCE.choice(taken) if own else taken[-1]

    def seal(self, slot: Slot) -> None:
        """Right after `sync`: from now on the inputs are others."""
        if slot.aliased and not self._idle:
            self._plants.scramble(slot)

    def problem(self, slot: Slot, result: Any) -> str | None:
        """What is wrong with the result of a sealed slot; its inputs are as they were again."""
        if self._idle:
            return None
        if self._unwritable is not None and share_memory(self._backend, self._unwritable, result):
            return "returns an earlier result again: two live results share memory"
        look = partial(output_of, self._backend, self._slots.case, slot, result)
        found = self._plants.problem(look, self._slots.peek(slot, result))
        if slot.aliased:
            self._plants.restore(slot)
        return found

    @property
    def can_audit(self) -> bool:
        """Whether inputs can be changed between two calls: not where the backend holds copies."""
        return not self._idle and all(slot.aliased for slot in self._slots.ring)

    def turn(self, slot: Slot, calls: int) -> list[Iterator[object]]:
        """What changes the input right before the last of so many calls."""
        return self._plants.turn(slot, calls)

    def judge(self, slot: Slot, held: list[Any]) -> None:
        """Keep what is wrong with the result of that call, and leave everything as it was."""
        self._note(slot, held[0])
        self._plants.turn_back()
        self._plants.restore(slot)
        self._calls.run(
            1, held
        )  # for who works only when its input has changed: the next call is to find it the same
        self.poison_targets()
        if self._slots.case.placement == "new":
            self.spoil(held[0], keep=False)

    def _note(self, slot: Slot, result: Any) -> None:
        self.seal(slot)
        found = self.problem(slot, result)
        self.audited = self.audited or (None if found is None else _RUSHED + found)

    def last(self) -> str | None:
        """What an audit of its own finds, so that every arm has had one: with what is pristine, and other changes."""
        if not self.can_audit:
            return None
        self.begin()
        self._plants.change()
        for slot in self._slots.ring:
            self._slots.renew(slot, self._plants.put)
        held: list[Any] = []
        most = int(min(_LAST_S / max(self._calls.call_s, 1e-9), _LAST_CALLS))
        slot = self._calls.audit(_CHANCE.randint(2, max(most, _FEW_CALLS)), held, self.turn)
        self._note(slot, held[0])
        return self.audited

    def poison_targets(self) -> None:
        """Before calls that write into given arrays."""
        for slot in self._slots.ring:
            if slot.out is not None:
                self._plants.poison(slot.out)
                self._slots.hand_over(slot, self._plants.index)

    def spoil(self, result: Any, *, keep: bool = True) -> None:
        """Poison a result that will be dropped; `keep` one that cannot be written to: its memory is not reused."""
        if self._idle:
            return
        if self._slots.case.device != "cpu":
            self._slots.spoil(result, self._plants.index)
            return
        array = host_view(self._backend.to_numpy(result))
        if array.flags.writeable:
            self._plants.poison(array)
        elif keep:
            self._unwritable = result
