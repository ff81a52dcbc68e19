"""Backends that are odd and right, and must not be accused."""

from __future__ import annotations

import gc
import subprocess
import sys
import time
from typing import Any, ClassVar

import numpy as np

from tests.honest import Array, HonestNumpy
from tests.tricksters.base import Call, Trickster


class Chatty(Trickster):
    """Prints a megabyte in each `compile` and a line in each call."""

    name = "chatty"

    def trick(self, honest: Call, x: Array, out: Array | None) -> Call:
        sys.stdout.write("chatter " * (1 << 17))
        sys.stderr.write("chatter " * (1 << 17))

        def call() -> Any:
            print("called")
            return honest()

        return call


class LeavesGcOff(Trickster):
    """Switches Python's cycle collector off and leaves it so."""

    name = "leaves_gc_off"

    def trick(self, honest: Call, x: Array, out: Array | None) -> Call:
        gc.disable()
        return honest


class StartsHelper(Trickster):
    """Starts a process of its own that would go on for ever."""

    name = "starts_helper"

    def trick(self, honest: Call, x: Array, out: Array | None) -> Call:
        if not hasattr(self, "helper"):
            self.helper = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
        return honest


class OddVersions(HonestNumpy):
    """Describes itself by objects that are no plain text."""

    name = "odd_versions"

    def versions(self) -> Any:
        class Local(str):
            __slots__ = ()

        return {"local": Local("1.0"), "function": lambda: None}


class RecyclingPool(Trickster):
    """Writes into memory of its own that nobody has any more: faster than fresh memory, and right."""

    name = "recycling_pool"

    def trick(self, honest: Call, x: Array, out: Array | None) -> Call:
        if out is not None or self.case.placement == "inplace":
            return honest
        pool: list[Array] = []

        def call() -> Array:
            free = next((i for i in range(len(pool)) if sys.getrefcount(pool[i]) == 2), None)
            if free is None:
                pool.append(np.empty_like(x))
                free = len(pool) - 1
            with np.errstate(all="ignore"):
                np.copyto(pool[free], self.answer(self.case, x, self.dy))
            return pool[free]

        return call


class CompilesLater(Trickster):
    """Slow in its first calls, as a compiler is that begins when a loop turns out to be hot."""

    name = "compiles_later"

    def trick(self, honest: Call, x: Array, out: Array | None) -> Call:
        calls = 0

        def call() -> Any:
            nonlocal calls
            calls += 1
            if calls in (1, 2, 50):
                end = time.perf_counter() + 0.002
                while time.perf_counter() < end:
                    pass
            return honest()

        return call


class SettlesLate(Trickster):
    """Tries two ways in turn for its first thousand calls, and keeps to the faster one from then on."""

    name = "settles_late"

    def trick(self, honest: Call, x: Array, out: Array | None) -> Call:
        def slowly() -> Any:
            np.empty_like(x).fill(0)
            return honest()

        ways, spent, calls = (honest, slowly), [0.0, 0.0], 0

        def call() -> Any:
            nonlocal calls
            calls += 1
            if calls > 1000:
                return ways[spent[1] < spent[0]]()
            began, way = time.perf_counter(), calls % 2
            result = ways[way]()
            spent[way] += time.perf_counter() - began
            return result

        return call


class PlansByShape(Trickster):
    """Keeps what it has worked out for a shape, and reads its input again each time."""

    name = "plans_by_shape"

    plans: ClassVar[dict[Any, list[slice]]] = {}

    def trick(self, honest: Call, x: Array, out: Array | None) -> Call:
        def call() -> Any:
            key = (x.shape, x.strides, x.dtype)
            if key not in self.plans:
                self.plans[key] = [slice(start, start + 4096) for start in range(0, len(x), 4096)]
            blocks = self.plans[key]
            if out is None or self.dy is not None:
                return honest()
            with np.errstate(all="ignore"):
                for block in blocks:
                    out[block] = self.answer(self.case, x[block], None)
            return out

        return call
