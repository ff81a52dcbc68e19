"""Rounds of one experiment with a neighbour and without it, in turn: what differs between them is the neighbour.

The arms' processes are the same, and a drift of the machine hits both halves alike, so what little a neighbour does
shows within minutes; two hours, one after the other, differ by more than that.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from bench.machine.surroundings import Surroundings
from bench.records.lines import Key
from bench.stats.verdicts import Rounds
from scripts._shared.beside import Neighbour

__all__ = ["Halves", "InTurn", "halves"]

_FIRST = 1
"""The round before it pays for fresh memory, and is in no half."""
_BLOCK = (True, False, False, True)
"""Whether the neighbour goes on, in four rounds one after the other: a drift tells neither half from the other."""


class InTurn(Surroundings):
    """This machine, with a neighbour that is stopped for some rounds."""

    def __init__(self, neighbour: Neighbour) -> None:
        self._neighbour = neighbour

    def round_begins(self, number: int) -> None:
        """What the neighbour has put off it does as soon as it may: in the rounds beside it there is more of it."""
        self._neighbour.let(go_on=_goes_on(number))


def _goes_on(number: int) -> bool:
    return _BLOCK[(number - _FIRST) % len(_BLOCK)]


class Halves(NamedTuple):
    """The rounds of each arm."""

    beside: Mapping[Key, Rounds]
    stopped: Mapping[Key, Rounds]


def halves(rounds: Mapping[Key, Rounds]) -> Halves:
    """Of each process's rounds the whole blocks, so that both halves have as many and as late ones."""
    whole = {key: _whole(each) for key, each in rounds.items()}
    return Halves(
        *({key: _half(each, goes_on=goes_on) for key, each in whole.items()} for goes_on in (True, False))
    )


def _whole(rounds: Rounds) -> Rounds:
    def block(place: tuple[int, int]) -> set[tuple[int, int]]:
        process, number = place
        first = number - (number - _FIRST) % len(_BLOCK)
        return {(process, each) for each in range(first, first + len(_BLOCK))}

    return {place: seconds for place, seconds in rounds.items() if block(place) <= rounds.keys()}


def _half(rounds: Rounds, *, goes_on: bool) -> Rounds:
    return {place: seconds for place, seconds in rounds.items() if _goes_on(place[1]) == goes_on}
