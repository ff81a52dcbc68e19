"""Backends that raise, crash, hang or answer nonsense."""

from __future__ import annotations

import ctypes
import os
import threading
from typing import Any

from tests.honest import Array, HonestNumpy
from tests.tricksters.base import Call, Trickster


class RaisesInCompile(Trickster):
    name = "raises_in_compile"

    def trick(self, honest: Call, x: Array, out: Array | None) -> Call:
        raise ValueError("no kernel for today\nnor for tomorrow")


class RaisesInThirdBatch(Trickster):
    """Raises at the fifth input: two are the gate's, and each batch brings one more."""

    name = "raises_in_third_batch"

    def __init__(self) -> None:
        self._seen: dict[str, set[bytes]] = {}

    def trick(self, honest: Call, x: Array, out: Array | None) -> Call:
        seen = self._seen.setdefault("new" if out is None else "out", set())

        def call() -> Any:
            seen.add(x.tobytes())
            if len(seen) == 5:
                raise RuntimeError("the fifth input is one too many")
            return honest()

        return call


class SegfaultsInCompile(Trickster):
    name = "segfaults_in_compile"

    def trick(self, honest: Call, x: Array, out: Array | None) -> Call:
        ctypes.string_at(0)
        return honest


class SegfaultsInBatch(Trickster):
    name = "segfaults_in_batch"

    def trick(self, honest: Call, x: Array, out: Array | None) -> Call:
        calls = 0

        def call() -> Any:
            nonlocal calls
            calls += 1
            if calls == 8:
                ctypes.string_at(0)
            return honest()

        return call


class Hangs(Trickster):
    name = "hangs"

    def trick(self, honest: Call, x: Array, out: Array | None) -> Call:
        return threading.Event().wait


class Exits(Trickster):
    name = "exits"

    def trick(self, honest: Call, x: Array, out: Array | None) -> Call:
        return lambda: os._exit(3)


class OutOfMemory(Trickster):
    name = "out_of_memory"

    def trick(self, honest: Call, x: Array, out: Array | None) -> Call:
        raise MemoryError("cannot allocate 7 TiB")


class RaisesInWhyNot(HonestNumpy):
    name = "raises_in_why_not"

    def why_not(self, case: Any) -> str | None:
        raise KeyError("undecided")


class VagueWhyNot(HonestNumpy):
    """Refuses and does not say why."""

    name = "vague_why_not"

    def why_not(self, case: Any) -> Any:
        return False


class LoudWhyNot(HonestNumpy):
    """A reason that would break a file of lines."""

    name = "loud_why_not"

    def why_not(self, case: Any) -> str | None:
        return 'not "here",\nnot\0now\udc80, ' + "never " * 1000


class RaisesUntilTold(HonestNumpy):
    """Raises in `compile` unless the environment says otherwise."""

    name = "raises_until_told"

    def compile(self, case: Any, x: Array, dy: Array | None, out: Array | None) -> Call:
        if "RELU_BENCH_TOLD" not in os.environ:
            raise RuntimeError("nobody has told me")
        return super().compile(case, x, dy, out)


class WrongReturns(HonestNumpy):
    """Hands over a list where an array is wanted."""

    name = "wrong_returns"

    def to_numpy(self, result: Any) -> Any:
        return list(result)
