"""Steps with torch's activations and with ours, by turns, in the program itself."""

from __future__ import annotations

import random
from collections.abc import Sequence

from torch import nn

__all__ = ["Swapping"]

_UNTIMED = 2
"""Pairs of steps at the beginning that do not count: our kernels are compiled, and both warm up."""


class Swapping:
    """Of two steps one runs with ours, the first or the second as it falls."""

    def __init__(self, chance: random.Random) -> None:
        self._chance = chance
        self._roots: Sequence[nn.Module] = ()
        self._order: list[bool] = []
        self._ours = False
        self._times: dict[bool, list[float]] = {False: [], True: []}
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

    def stepped(self, seconds: float) -> None:
        """A step took that long; the next one may be the other's turn."""
        if self._roots:
            self._times[self._ours].append(seconds)
            self._turn()

    def back(self) -> None:
        """The program has its own again."""
        self._set(ours=False)

    def pairs(self) -> tuple[list[float], list[float]]:
        """(seconds of steps with torch's, with ours), pair by pair."""
        both = min(map(len, self._times.values()))
        theirs, ours = (times[_UNTIMED:both] for times in self._times.values())
        return theirs, ours

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
