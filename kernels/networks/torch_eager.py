"""The article's own network: nn.Sequential(Linear, activation, Linear), in eager mode.

Forward is inference: the parameters ask for no gradient, so torch records no graph and needs no context manager.  A
training step is the usual five lines with torch.optim.SGD.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
import torch
from torch import nn

from kernels.api import Case
from kernels.backends.torch_eager import TorchEager
from kernels.networks import case as network
from kernels.networks.case import ABLATED, NetworkCase
from kernels.networks.weights import initial, pack

__all__ = ["TorchEagerMlp", "model_of"]

Array = np.ndarray[Any, Any]
Tensor = torch.Tensor


class TorchEagerMlp(TorchEager):
    """nn.Module forward, autograd and torch.optim.SGD."""

    def why_not(self, case: Case) -> str | None:
        """None for a network on the CPU."""
        return network.why_not(self.name, case)

    def bind(self, case: Case, x: Tensor, dy: Tensor | None, out: Tensor | None) -> Callable[[], Any]:
        """As `compile`: fresh weights; a training step has not been made yet."""
        assert isinstance(case, NetworkCase), "why_not has refused any other"
        model = model_of(case)
        if dy is None:
            return partial(model.requires_grad_(False), x)
        return _train_step(model, torch.optim.SGD(model.parameters(), lr=case.learning_rate), x, dy)

    def compile(self, case: Case, x: Tensor, dy: Tensor | None, out: Tensor | None) -> Callable[[], Any]:
        """Run once on weights of its own: the call that is returned starts from fresh ones."""
        self.bind(case, x, dy, out)()
        return self.bind(case, x, dy, out)

    def to_numpy(self, result: Any) -> Array:
        """The outputs; of a training step one vector, `weights.pack`."""
        if not isinstance(result, tuple):
            return super().to_numpy(result)
        loss, weights = result
        return pack(loss.detach().numpy(), [part.detach().numpy() for part in weights])  # type: ignore[arg-type]


def model_of(case: NetworkCase) -> nn.Sequential:
    """Linear, the case's activation (none for mlp_identity), Linear, with the weights that everyone has."""
    a, b, c = case.widths
    activations: dict[str, list[nn.Module]] = {
        "mlp_relu": [nn.ReLU()],
        "mlp_leaky_relu": [nn.LeakyReLU(case.negative_slope)],
        ABLATED: [],
    }
    layers = [nn.Linear(*widths, device="meta") for widths in ((a, b), (b, c))]
    weights = initial(case)
    for layer, weight, bias in zip(layers, weights[::2], weights[1::2], strict=True):
        layer.weight, layer.bias = (nn.Parameter(torch.from_numpy(part)) for part in (weight, bias))
    return nn.Sequential(layers[0], *activations[case.op], layers[1])


def _train_step(
    model: nn.Sequential, optimizer: torch.optim.SGD, x: Tensor, target: Tensor
) -> Callable[[], Any]:
    parameters = tuple(model.parameters())
    mse_loss = nn.functional.mse_loss

    def call() -> tuple[Tensor, tuple[Tensor, ...]]:
        optimizer.zero_grad()
        loss = mse_loss(model(x), target)
        loss.backward()  # type: ignore[no-untyped-call]  # torch's own
        optimizer.step()
        return loss, parameters

    return call
