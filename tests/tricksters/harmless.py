"""Backends that are odd and right, and must not be accused."""

from __future__ import annotations

import gc
import subprocess
import sys
from typing import Any

from tests.mutants import Array, HonestNumpy
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
