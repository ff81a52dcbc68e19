"""Backends that cheat as one can on a device: what the suite makes of them shows whether it would notice.

Each works by the backend that ``RELU_BENCH_TRICK_BASE`` names.  On the CPU a thread with a queue stands in for the
stream of a card, so that the same tricks can be tried there.
"""

from __future__ import annotations

import os
import queue
import sys
import threading
from collections.abc import Callable
from typing import Any

from kernels.api import Case
from kernels.own.delegate import Delegate

__all__ = ["BASE", "TRICKS", "GraphOfNothing", "ReturnsAtOnce", "ReturnsCached", "WrongStream"]

BASE = "RELU_BENCH_TRICK_BASE"
_QUEUED = 64
"""Calls that may wait in the thread's queue; a card's stream is bounded, too."""
Call = Callable[[], Any]


class _Trick(Delegate):
    """The base backend, on whose device the derived class cheats."""

    torchs = False
    """Whether it needs torch on a card."""

    def __init__(self) -> None:
        super().__init__(os.environ.get(BASE, "torch_eager"))

    def __getattr__(self, name: str) -> Any:
        """What the base has besides: its card, its alignment."""
        if name == "_base":
            raise AttributeError(name)
        return getattr(self._base, name)

    def why_not(self, case: Case) -> str | None:
        """The base's reason, or that the trick is one of torch's on cards."""
        reason = self._base.why_not(case)
        if reason is None and case.device != "cpu" and self.torchs and "torch" not in sys.modules:
            return f"{self.name} is a trick with torch's own streams and graphs; the base has none"
        return reason


class ReturnsAtOnce(_Trick):
    """Launches, and `sync` does not wait."""

    name = "returns_at_once"

    def compile(self, case: Case, x: Any, dy: Any, out: Any) -> Call:
        """The base's call, which a card works off by itself."""
        call = super().compile(case, x, dy, out)
        return _queued(call, out) if case.device == "cpu" else call

    def sync(self, result: Any) -> None:
        """Nothing."""


class WrongStream(_Trick):
    """Launches on one stream, and `sync` waits for another."""

    name = "wrong_stream"
    torchs = True

    def compile(self, case: Case, x: Any, dy: Any, out: Any) -> Call:
        """The base's call, on a stream of its own."""
        call = super().compile(case, x, dy, out)
        if case.device == "cpu":
            return _queued(call, out)
        cuda = sys.modules["torch"].cuda
        side = cuda.Stream(x.device)

        def elsewhere() -> Any:
            with cuda.stream(side):
                return call()

        return elsewhere

    def sync(self, result: Any) -> None:
        """Wait for the stream on which nothing is done."""
        if getattr(result, "is_cuda", False):
            sys.modules["torch"].cuda.current_stream(result.device).synchronize()


class GraphOfNothing(_Trick):
    """Replays a graph that holds nothing."""

    name = "graph_of_nothing"
    torchs = True

    def compile(self, case: Case, x: Any, dy: Any, out: Any) -> Call:
        """The base's call is made once, so that its result stands there."""
        super().compile(case, x, dy, out)
        if case.device == "cpu":
            return lambda: out
        cuda = sys.modules["torch"].cuda
        graph = cuda.CUDAGraph()
        with cuda.device(x.device), cuda.graph(graph):
            pass

        def replay() -> Any:
            graph.replay()
            return out

        return replay


class ReturnsCached(_Trick):
    """Works once, and returns that result ever after."""

    name = "returns_cached"

    def compile(self, case: Case, x: Any, dy: Any, out: Any) -> Call:
        """What the base's call gave once."""
        result = super().compile(case, x, dy, out)()
        self._base.sync(result)
        return lambda: result


TRICKS = {
    trick.name: f"{__name__}:{trick.__name__}"
    for trick in (ReturnsAtOnce, WrongStream, GraphOfNothing, ReturnsCached)
}


def _queued(call: Call, result: Any) -> Call:
    """A launch: the call is left to a thread, and its result, an array that is there, is returned at once."""
    waiting: queue.Queue[Call] = queue.Queue(_QUEUED)

    def work() -> None:
        while True:
            waiting.get()()

    threading.Thread(target=work, daemon=True).start()

    def launch() -> Any:
        waiting.put(call)
        return result

    return launch
