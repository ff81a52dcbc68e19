"""Tricksters that remember an earlier result instead of working again."""

from __future__ import annotations

from typing import Any

import numpy as np

from tests.honest import Array, HonestNumpy
from tests.tricksters.base import Call, Trickster


class Memoised(Trickster):
    """Works once and returns that result ever after."""

    name = "memoised"

    def trick(self, honest: Call, x: Array, out: Array | None) -> Call:
        first = honest()
        return lambda: first


class CachesById(HonestNumpy):
    """Remembers a result for each array object that it was given."""

    name = "caches_by_id"

    def __init__(self) -> None:
        self.results: dict[tuple[int, int], Array] = {}

    def compile(self, case: Any, x: Array, dy: Array | None, out: Array | None) -> Call:
        honest, key = super().compile(case, x, dy, out), (id(x), id(out))

        def call() -> Array:
            if key not in self.results:
                self.results[key] = honest()
            return self.results[key]

        return call


class WatchesEnds(Trickster):
    """Does nothing while the ends of its input and of its output are as it left them."""

    name = "watches_ends"

    def trick(self, honest: Call, x: Array, out: Array | None) -> Call:
        seen, result = b"", None

        def call() -> Any:
            nonlocal seen, result
            ends = x[:4].tobytes() + x[-4:].tobytes()
            if result is not None:
                ends += result[:4].tobytes() + result[-4:].tobytes()
            if result is None or ends != seen:
                result = honest()
                seen = x[:4].tobytes() + x[-4:].tobytes() + result[:4].tobytes() + result[-4:].tobytes()
            return result

        return call


class HashesInput(Trickster):
    """Reads all of its input, and writes nothing if that has not changed."""

    name = "hashes_input"

    def trick(self, honest: Call, x: Array, out: Array | None) -> Call:
        seen, result = None, None

        def call() -> Any:
            nonlocal seen, result
            now = hash(x.tobytes())
            if now != seen:
                seen, result = now, honest()
            return result

        return call


class SharedBuffer(Trickster):
    """Right each time, but always in the same memory: an earlier result changes under its owner."""

    name = "shared_buffer"

    def trick(self, honest: Call, x: Array, out: Array | None) -> Call:
        buffer = np.empty_like(x)

        def call() -> Array:
            buffer[...] = honest()
            return buffer

        return call


class RingOfBuffers(Trickster):
    """As SharedBuffer, with eight buffers in turn."""

    name = "ring_of_buffers"

    def trick(self, honest: Call, x: Array, out: Array | None) -> Call:
        ring = [np.empty_like(x) for _ in range(8)]
        turn = 0

        def call() -> Array:
            nonlocal turn
            turn = (turn + 1) % len(ring)
            ring[turn][...] = honest()
            return ring[turn]

        return call
