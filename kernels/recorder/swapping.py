"""Steps with torch's activations and with ours, by turns, in the program itself.

A turn is several steps: the first after a change pays for it, by memory that the other let go of and threads that still
spin.
"""

from __future__ import annotations

import random
import statistics
from collections.abc import Sequence

from torch import nn

from kernels.recorder.pages import Spent

__all__ = ["Swapping"]

_UNTIMED = 1
"""Pairs of turns at the beginning that do not count: our kernels are compiled, and both warm up."""
_STEPS = 4
"""In a turn; the first of them does not count."""


class Swapping:
    """Of two turns one runs with ours, the first or the second as it falls."""

    def __init__(self, chance: random.Random) -> None:
        self._chance = chance
        self._roots: Sequence[nn.Module] = ()
        self._order: list[bool] = []
        self._ours = False
        self._steps: list[Spent] = []
        self._times: dict[bool, list[float]] = {False: [], True: []}
        self._faults: dict[bool, list[int]] = {False: [], True: []}
        self.modules = 0

    def begin(self, roots: Sequence[nn.Module]) -> None:
        """Swap in these models from now on; not in one that has modules of ours already."""
        from kernels.torch_module import TunedLeakyReLU, TunedReLU  # noqa: PLC0415  # compiles

        self._roots = [
            root
            for root in roots
            if not any(isinstance(each, TunedReLU | TunedLeakyReLU) for each in root.modules())
            and any(type(each) in (nn.ReLU, nn.LeakyReLU) for each in root.modules())
        ]
        self._turn()

    def stepped(self, spent: Spent) -> None:
        """A step took that; the next one may be the other's turn."""
        if not self._roots:
            return
        self._steps.append(spent)
        if len(self._steps) == _STEPS:
            self._times[self._ours].append(statistics.median(step.s for step in self._steps[1:]))
            self._faults[self._ours] += [step.page_faults for step in self._steps[1:]]
            self._steps = []
            self._turn()

    def back(self) -> None:
        """The program has its own again."""
        self._set(ours=False)

    def pairs(self) -> tuple[list[float], list[float]]:
        """(seconds of a step in turns with torch's, with ours), pair by pair."""
        both = min(map(len, self._times.values()))
        theirs, ours = (times[_UNTIMED:both] for times in self._times.values())
        return theirs, ours

    def page_faults(self, *, ours: bool) -> float | None:
        """Of a step in turns with ours, or in those with torch's: the median; None without any turn."""
        found = self._faults[ours]
        return float(statistics.median(found)) if found else None

    def _turn(self) -> None:
        if not self._order:
            self._order = self._chance.sample((False, True), 2)
        self._set(ours=self._order.pop())

    def _set(self, *, ours: bool) -> None:
        from kernels.torch_module import replace_activations, restore_activations  # noqa: PLC0415  # compiles

        if ours != self._ours:
            change = replace_activations if ours else restore_activations
            self.modules = max(self.modules, sum(map(change, self._roots)))
            self._ours = ours
