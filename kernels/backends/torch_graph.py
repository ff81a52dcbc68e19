"""CUDA graphs of torch's kernels: many calls recorded once, replayed by one launch.

For small tensors a launch costs more than the kernel, and torch programs use a graph to avoid it.  One graph here
holds `CALLS` calls on the same arrays, and the callable says so (`calls`): its time is divided by them.  So it is
the time of a call among many, where no one waits for each.
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
    """Launch the graph; `calls` says how many calls of the operation that is."""

    calls = CALLS

    def __init__(self, graph: torch.cuda.CUDAGraph, result: Tensor) -> None:
        self._replay, self._result = graph.replay, result

    def __call__(self) -> Tensor:
        """All the calls; the result of the last."""
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
        """Run once outside a graph, as torch asks for; record; replay once."""
        call = self.bind(case, x, dy, out)
        with torch.cuda.device(x.device):
            stream = torch.cuda.Stream()  # type: ignore[no-untyped-call]  # torch's own
            stream.wait_stream(torch.cuda.current_stream())
            with torch.cuda.stream(stream):
                call()
            torch.cuda.current_stream().wait_stream(stream)
            graph = torch.cuda.CUDAGraph()
            with torch.cuda.graph(graph):
                for _ in range(CALLS):
                    result = call()
            replay = Replay(graph, result)
            replay()
            torch.cuda.synchronize()
        return replay
