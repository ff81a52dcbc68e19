"""Many small networks at once: one per seed, side by side in batched matrix products.

The networks share nothing but the calls; each has the weights of its own seed.  One thread, deterministic
algorithms and NumPy's random numbers, so that figures repeat, whatever the number of cores.  (Another kind of
processor may round differently in the last bit.)
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from scripts._claims.data import Problem, rng

__all__ = ["ACTIVATIONS", "Activation", "Fit", "Stack", "first_step", "fit", "fixed", "leaky"]

_PLATEAU = 1e4
"""A loss of this many times the first counts as diverged; so does anything not finite."""


@dataclass(frozen=True, slots=True)
class Activation:
    """An activation function, and `gain`: what variance of a weight suits it, times the number of inputs.

    2 is He initialisation; 1 is Glorot's where a layer is as wide as the one before.
    """

    name: str
    function: Callable[[Tensor], Tensor]
    gain: float


def leaky(slope: float, name: str = "") -> Activation:
    """LeakyReLU of that slope."""
    return Activation(name or f"leaky {slope:g}", lambda x: functional.leaky_relu(x, slope), 2.0)


ACTIVATIONS: Mapping[str, Activation] = {
    "relu": Activation("relu", torch.relu, 2.0),
    "leaky_relu": leaky(0.01, "leaky_relu"),
    "tanh": Activation("tanh", torch.tanh, 1.0),
    "sigmoid": Activation("sigmoid", torch.sigmoid, 1.0),
}


@contextmanager
def fixed() -> Iterator[None]:
    """One thread and deterministic algorithms inside; as before afterwards."""
    threads, strict = torch.get_num_threads(), torch.are_deterministic_algorithms_enabled()
    torch.set_num_threads(1)
    torch.use_deterministic_algorithms(mode=True)
    try:
        yield
    finally:
        torch.use_deterministic_algorithms(mode=strict)
        torch.set_num_threads(threads)


class Stack:
    """Networks of one shape, one per seed: weights [seeds, in, out] normal with variance gain / in, biases 0."""

    def __init__(self, seeds: Sequence[int], widths: Sequence[int], gain: float) -> None:
        drawn = [_weights(rng(seed, 2), widths, gain) for seed in seeds]
        layers = [np.stack(layer).astype(np.float32) for layer in zip(*drawn, strict=True)]
        self.weights = [torch.from_numpy(layer).requires_grad_() for layer in layers]
        self.biases = [torch.zeros(len(seeds), 1, width, requires_grad=True) for width in widths[1:]]

    @property
    def parameters(self) -> list[Tensor]:
        """All that training changes."""
        return [*self.weights, *self.biases]

    def layers(self, x: Tensor, function: Callable[[Tensor], Tensor]) -> list[Tensor]:
        """What each layer gives for x [seeds, points, in]: `function` of it for all but the last."""
        found = []
        for weight, bias in zip(self.weights[:-1], self.biases[:-1], strict=True):
            x = function(torch.baddbmm(bias, x, weight))
            found.append(x)
        return [*found, torch.baddbmm(self.biases[-1], x, self.weights[-1])]


def _weights(generator: np.random.Generator, widths: Sequence[int], gain: float) -> list[np.ndarray]:
    return [
        generator.normal(0, math.sqrt(gain / before), (before, after)) for before, after in pairwise(widths)
    ]


@dataclass(frozen=True, slots=True)
class Fit:
    """Trained networks; `losses` [steps + 1, seeds] on the training data before each step and after the last."""

    stack: Stack
    activation: Activation
    losses: np.ndarray

    @property
    def diverged(self) -> np.ndarray:
        """Per seed: the loss, or a weight, is not finite any more, or the loss has grown beyond reason."""
        bad = ~np.isfinite(self.losses[-1]) | (self.losses[-1] > _PLATEAU * self.losses[0])
        for parameter in self.stack.parameters:
            bad |= ~np.asarray(torch.isfinite(parameter).flatten(1).all(dim=1))
        return np.asarray(bad)

    def hidden(self, x: Tensor) -> list[Tensor]:
        """The hidden layers' outputs for x."""
        with torch.no_grad():
            return self.stack.layers(x, self.activation.function)[:-1]

    def output(self, x: Tensor) -> Tensor:
        """The networks' outputs [seeds, points, 1] for x."""
        with torch.no_grad():
            return self.stack.layers(x, self.activation.function)[-1]


def fit(
    problem: Problem,
    stack: Stack,
    activation: Activation,
    *,
    rate: float,
    steps: int,
    labels: bool = True,
    adam: bool = False,
    momentum: float = 0.0,
    sparsity: float = 0.0,
    target: float | None = None,
) -> Fit:
    """Train `stack` in place on all training points at once: cross-entropy for labels, squared error otherwise.

    `sparsity` times the mean size of the hidden outputs is added to what is minimised (an L1 penalty), not to
    `losses`.  Training ends early once every seed has been at `target`.
    """
    optimizer: torch.optim.Optimizer = (
        torch.optim.Adam(stack.parameters, lr=rate)
        if adam
        else torch.optim.SGD(stack.parameters, lr=rate, momentum=momentum)
    )
    measure = functional.binary_cross_entropy_with_logits if labels else functional.mse_loss
    x, y, losses = problem.x["train"], problem.y["train"], []
    reached = np.zeros(x.shape[0], dtype=bool)
    for step in range(steps + 1):
        layers = stack.layers(x, activation.function)
        each = measure(layers[-1], y, reduction="none").mean(dim=(1, 2))
        losses.append(each.detach().numpy().copy())
        reached |= losses[-1] <= (-math.inf if target is None else target)
        if step == steps or reached.all():
            break
        optimizer.zero_grad()
        penalty = sum(layer.abs().mean(dim=(1, 2)) for layer in layers[:-1]) if sparsity else 0.0
        (each + sparsity * penalty).sum().backward()  # type: ignore[no-untyped-call]
        optimizer.step()
    return Fit(stack, activation, np.array(losses))


def first_step(reached: np.ndarray) -> np.ndarray:
    """Per column, the first row that is true; infinity where none is."""
    return np.where(reached.any(axis=0), reached.argmax(axis=0).astype(float), math.inf)
