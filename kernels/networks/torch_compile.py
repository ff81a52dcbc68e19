"""The network under torch.compile (Inductor, C++): one static graph for forward, one for the whole step.

The graph takes the weights as arguments, so that fresh ones need no new graph.  The training step is
compiled as one: loss, gradients (torch.func.grad_and_value) and the update of the weights in place.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
import torch
from torch.nn import functional

from kernels.api import Case
from kernels.backends.torch_compile import Graph, TorchCompile
from kernels.networks import case as network
from kernels.networks.case import NetworkCase
from kernels.networks.weights import initial, pack
from kernels.ops import op_of

__all__ = ["TorchCompileMlp"]

Array = np.ndarray[Any, Any]
Tensor = torch.Tensor


class TorchCompileMlp(TorchCompile):
    """Static shapes, no graph breaks; Inductor may fuse the activation into a product's epilogue."""

    def why_not(self, case: Case) -> str | None:
        """None for a network on a CPU with a C++ compiler."""
        return network.why_not(self.name, case) or super().why_not(Case("relu", threads=case.threads))

    def bind(self, case: Case, x: Tensor, dy: Tensor | None, out: Tensor | None) -> Callable[[], Any]:
        """The call on fresh weights; its first execution compiles, if this case is new."""
        assert isinstance(case, NetworkCase), "why_not has refused any other"
        key = (case.label, torch.get_num_threads())
        if key not in self._graphs:
            self._graphs[key] = Graph(_forward(case) if dy is None else _train_step(case))
        graph = self._last = self._graphs[key]
        weights = tuple(torch.from_numpy(part) for part in initial(case))
        if dy is None:
            return partial(graph.run, x, *weights)
        run = graph.run

        def step() -> tuple[Tensor, tuple[Tensor, ...]]:
            return run(x, dy, *weights), weights

        return step

    def compile(self, case: Case, x: Tensor, dy: Tensor | None, out: Tensor | None) -> Callable[[], Any]:
        """Trace, compile and run once on weights of its own; the call that is returned starts from fresh ones.

        Raises RuntimeError if torch ran the function eagerly instead.
        """
        super().compile(case, x, dy, out)
        return self.bind(case, x, dy, out)

    def to_numpy(self, result: Any) -> Array:
        """The outputs; of a training step one vector, `weights.pack`."""
        if not isinstance(result, tuple):
            return super().to_numpy(result)
        loss, weights = result
        return pack(loss.numpy(), [part.numpy() for part in weights])  # type: ignore[arg-type]


def _activation(case: NetworkCase) -> Callable[[Tensor], Tensor]:
    if case.activation is None:
        return lambda h: h
    return op_of(case.activation).torch_traced(torch, {"negative_slope": case.negative_slope})


def _forward(case: NetworkCase) -> Callable[..., Tensor]:
    activate, linear = _activation(case), functional.linear
    return lambda x, w1, b1, w2, b2: linear(activate(linear(x, w1, b1)), w2, b2)


def _train_step(case: NetworkCase) -> Callable[..., Tensor]:
    forward, rate = _forward(case), case.learning_rate

    def loss_of(weights: tuple[Tensor, ...], x: Tensor, target: Tensor) -> Tensor:
        return functional.mse_loss(forward(x, *weights), target)

    def step(x: Tensor, target: Tensor, *weights: Tensor) -> Tensor:
        gradients, loss = torch.func.grad_and_value(loss_of)(weights, x, target)
        for weight, gradient in zip(weights, gradients, strict=True):
            weight.sub_(gradient, alpha=rate)
        return loss  # type: ignore[no-any-return]  # torch.func is not typed

    return step
