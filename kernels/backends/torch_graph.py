"""CUDA graphs of torch's kernels: recorded once, replayed by one launch.

For small tensors a launch costs more than the kernel, and torch programs use a graph to avoid it.  The callable
replays a graph of one call, so that it can be waited for as every other implementation's is.  What graphs are for is
to hold many calls: the callable's `queued` replays `CALLS` of them, for who launches many and waits once.
"""

from __future__ import annotations

from collections.abc import Callable

import torch

from kernels.api import Case
from kernels.backends.torch_eager import TorchEager
from kernels.gpu import torch_card
from kernels.ops import why_not

__all__ = ["CALLS", "Replay", "TorchGraph"]

Tensor = torch.Tensor
CALLS = 64
"""Enough for one launch to be a small part of them all."""
_MOST = 1 << 20
"""Elements beyond which a graph has nothing to save."""


class Replay:
    """Launch a graph of so many calls of the operation; `queued` launches one that has more (`bench` asks for it)."""

    def __init__(
        self, graph: torch.cuda.CUDAGraph, result: Tensor, calls: int = 1, queued: Replay | None = None
    ) -> None:
        self._replay, self._result, self.calls, self.queued = graph.replay, result, calls, queued

    def __call__(self) -> Tensor:
        """All its calls; the result of the last."""
        self._replay()
        return self._result


class TorchGraph(TorchEager):
    """torch_eager's calls into a given array, as a graph."""

    name = "torch_graph"

    def why_not(self, case: Case) -> str | None:
        """None on a card, for small tensors, into a given array."""
        reason = torch_card.why_no_card(self.name, case.device)
        if reason is not None:
            return reason
        if case.placement != "out":
            return "a CUDA graph writes to the same memory at each replay; use placement out"
        if case.n > _MOST:
            return f"beyond {_MOST} elements a launch is a small part of a call; see torch_eager"
        if case.cache == "cold":
            return (
                "the calls of a graph use the same arrays, which are then in the card's cache; use cache hot"
            )
        return why_not("torch", case.op, case.direction, case.placement)

    def compile(self, case: Case, x: Tensor, dy: Tensor | None, out: Tensor | None) -> Callable[[], Tensor]:
        """Run once outside a graph, as torch asks for; record both graphs; replay each once."""
        call = self.bind(case, x, dy, out)
        with torch.cuda.device(x.device):
            stream = torch.cuda.Stream()  # type: ignore[no-untyped-call]  # torch's own
            stream.wait_stream(torch.cuda.current_stream())
            with torch.cuda.stream(stream):
                call()
            torch.cuda.current_stream().wait_stream(stream)
            many = _recorded(call, CALLS)
            one = _recorded(call, 1, many)
            torch.cuda.synchronize()
        return one


def _recorded(call: Callable[[], Tensor], calls: int, queued: Replay | None = None) -> Replay:
    """A graph of so many calls, replayed once."""
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        for _ in range(calls):
            result = call()
    replay = Replay(graph, result, calls, queued)
    replay()
    return replay
