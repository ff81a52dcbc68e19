"""On a card the ways to copy are raced by the card's own clock; by a stand-in that is none."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable

import numpy as np
import pytest

from bench.arm.call_loops import Calls
from bench.arrays.gpu_ring import CardSlots
from bench.arrays.inputs import InputSource
from bench.controls import gpu
from bench.controls.arms import CopyPlain
from bench.controls.gpu import DeviceRace
from kernels.api import Case
from tests.standin import QueueCard, QueueRelu, Stream


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


class CachedCard(QueueCard):
    """Knows which arrays lie in its cache: those written since other memory was."""

    def __init__(self, stream: Stream) -> None:
        super().__init__(stream)
        self.cached: set[int] = set()
        self.evictions = 0

    def cache_bytes(self) -> int:
        return 1 << 20  # so many small arrays that other memory is written instead

    def flush(self, nbytes: int) -> None:
        self.evictions += 1
        self._stream.put(self.cached.clear)


class CachedSide:
    """Two ways: `keeps` is the faster one where its array is cached, `streams` where it is not."""

    def __init__(self) -> None:
        self.backend = QueueRelu()
        self.stream = self.backend._stream
        self.made = CachedCard(self.stream)
        self.backend.card = self.card  # type: ignore[method-assign]
        self.like = np.empty_like
        self.called = list[str]()

    def card(self, device: str) -> CachedCard:
        return self.made

    def copies(
        self, case: Case, x: object, dy: object, out: np.ndarray
    ) -> dict[str, Callable[[], np.ndarray]]:
        def way(name: str, hot_s: float, cold_s: float) -> Callable[[], np.ndarray]:
            def work() -> None:
                time.sleep(hot_s if id(out) in self.made.cached else cold_s)
                self.made.cached.add(id(out))

            def call() -> np.ndarray:
                self.called.append(name)
                self.stream.put(work)
                return out

            return call

        return {"keeps": way("keeps", 1e-4, 4e-3), "streams": way("streams", 1e-3, 1e-3)}


@pytest.mark.parametrize(("cache", "winner"), [("hot", "keeps"), ("cold", "streams")])
def test_a_cold_case_is_raced_over_arrays_that_no_cache_has(
    cache: str, winner: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    side, control = CachedSide(), CopyPlain()
    monkeypatch.setattr(gpu, "side_of", lambda _: side)
    case = Case("relu", placement="out", n=64, cache=cache, device="cuda:0")
    slots = CardSlots(control, case, InputSource(1).of(case), 1 << 10)
    slots.grow()
    assert control.raced(case) == (cache == "hot")
    control.choose(slots, Calls(slots, control.sync, lambda _: ()))
    assert control.raced(case)
    assert set(control._on_card._race._winners.values()) == {winner}
    assert (side.made.evictions > 0) == (cache == "cold")
    side.called.clear()
    for slot in slots.ring:
        slot.call()
    assert set(side.called) == {winner}
