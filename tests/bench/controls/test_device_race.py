"""On a card the ways to copy are raced by the card's own clock; by a stand-in that is none."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable

from bench.controls.gpu import DeviceRace
from tests.standin import QueueCard, Stream


class Unclocked(QueueCard):
    """A card whose framework has no events."""

    def mark(self) -> None:  # type: ignore[override]
        """None."""


def ways_on(stream: Stream, made: Counter[str], **busy_s: float) -> dict[str, Callable[[], str]]:
    """Calls that are launched at once, and keep the device busy for so long."""

    def way(name: str, seconds: float) -> Callable[[], str]:
        def call() -> str:
            made[name] += 1
            stream.put(lambda: time.sleep(seconds))
            return name

        return call

    return {name: way(name, seconds) for name, seconds in busy_s.items()}


def test_the_way_that_keeps_the_device_busy_for_the_shortest_time_wins() -> None:
    stream, made, race = Stream(), Counter[str](), DeviceRace()
    ways = ways_on(stream, made, first=2e-3, second=1e-4)
    winner = race.winner("a case", ways, lambda: QueueCard(stream), lambda _: stream.wait())
    assert winner is ways["second"]
    made.clear()
    other = ways_on(stream, made, first=0.0, second=1e-3)
    assert race.winner("a case", other, lambda: QueueCard(stream), lambda _: stream.wait()) is other["second"]
    assert made == {"second": 1}, "it is decided once"


def test_without_a_clock_the_first_way_is_taken() -> None:
    stream, made = Stream(), Counter[str]()
    ways = ways_on(stream, made, first=1e-3, second=0.0)
    chosen = DeviceRace().winner("a case", ways, lambda: Unclocked(stream), lambda _: stream.wait())
    assert chosen is ways["first"]
