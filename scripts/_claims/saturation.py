"""Does it not saturate, does its gradient survive depth, and does training need fewer steps?"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import torch

from scripts._claims.data import rng, stacked
from scripts._claims.model import Figure, Outcome, Part, Point, Rule, over
from scripts._claims.nets import ACTIVATIONS, Activation, Stack, first_step, fit, fixed

__all__ = ["convergence", "depth", "derivatives"]

_FLAT = Rule(">=", 1e-3)
_KEPT = Rule(">=", 0.1)
_FASTER = Rule(">=", 1.25)
_DEPTHS = (5, 10, 20, 30, 50)
"""Layers, from shallow to very deep."""
_WIDTH = 64
"""Units of each layer: wide enough that none is born dead."""
_BATCH = 32
"""Normal inputs, over which the norm of the gradient is taken."""
_INITS = {"He": 2.0, "Glorot": 1.0}
_RATES = (0.03, 0.1, 0.3)
"""Each activation is trained at each, and its best counts: no rate is fair to all."""
_STEPS = 1000
"""Steps at most; an activation that needs more has not converged."""
_TARGET = 0.1
"""The loss that is to be reached: far below that of guessing."""


def _derivative(activation: Activation, at: torch.Tensor) -> torch.Tensor:
    """By autograd, in the dtype of `at`."""
    x = at.clone().requires_grad_()
    (gradient,) = torch.autograd.grad(activation.function(x).sum(), x)
    return gradient


def derivatives(seeds: Sequence[int]) -> Outcome:
    """Derivatives at -10 and 10 by autograd, float32; and the curves of all functions.  No randomness."""
    outcome = Outcome()
    for at in (10.0, -10.0):
        values = {name: float(_derivative(a, torch.tensor(at))) for name, a in ACTIVATIONS.items()}
        exact = float(_derivative(ACTIVATIONS["tanh"], torch.tensor(at, dtype=torch.float64)))
        smooth = (
            Figure("sigmoid", (values["sigmoid"],)),
            Figure("tanh", (values["tanh"],)),
            Figure("tanh in float64", (exact,)),
        )
        outcome.parts += [
            Part(
                f"{name}_at_{at:+g}",
                f"{name} does not saturate at {at:+g}",
                "derivative by autograd, float32",
                Figure(name, (values[name],)),
                _FLAT,
                smooth,
            )
            for name in ("relu", "leaky_relu")
        ]
    outcome.points["curves"] = _curves()
    return outcome


def _curves() -> list[Point]:
    grid = torch.linspace(-4, 4, 161)
    points = []
    for name, activation in ACTIVATIONS.items():
        for panel, values in (
            ("f(x)", activation.function(grid)),
            ("derivative", _derivative(activation, grid)),
        ):
            points += [
                over(panel, name, float(x), [float(y)]) for x, y in zip(grid, values.detach(), strict=True)
            ]
    return points


def _kept(activation: Activation, gain: float, layers: int, seeds: Sequence[int]) -> tuple[float, ...]:
    """Per seed: norm of the gradient at the input for one of norm 1 sent into the last layer's output."""

    def normal(purpose: int) -> torch.Tensor:
        drawn = [rng(seed, purpose).normal(0, 1, (_BATCH, _WIDTH)) for seed in seeds]
        return torch.from_numpy(np.stack(drawn).astype(np.float32))

    x, sent = normal(3).requires_grad_(), normal(4)
    values = x
    for weight in Stack(seeds, [_WIDTH] * (layers + 1), gain).weights:
        values = activation.function(torch.bmm(values, weight))
    (gradient,) = torch.autograd.grad(values, x, sent)
    norms = gradient.double().flatten(1).norm(dim=1) / sent.double().flatten(1).norm(dim=1)
    return tuple(map(float, norms))


def depth(seeds: Sequence[int]) -> Outcome:
    """What arrives at the input of a gradient sent into the output, by depth, activation and initialisation."""
    outcome = Outcome(points={"gradients": []})
    for init, gain in _INITS.items():
        deepest = []
        for name, activation in ACTIVATIONS.items():
            with fixed():
                kept = {layers: _kept(activation, gain, layers, seeds) for layers in _DEPTHS}
            title = f"{init} initialisation"
            outcome.points["gradients"] += [
                over(title, name, layers, values) for layers, values in kept.items()
            ]
            deepest.append(Figure(name, kept[_DEPTHS[-1]]))
        outcome.parts.append(
            Part(
                f"depth_{init}",
                f"relu's gradient survives {_DEPTHS[-1]} layers ({init} initialisation)",
                f"norm of the gradient at the input over that at the output; width {_WIDTH}, {_BATCH} normal inputs",
                deepest[0],
                _KEPT,
                tuple(deepest[1:]),
            )
        )
    return outcome


def _steps(activation: Activation, seeds: Sequence[int]) -> np.ndarray:
    """Steps to the target loss per seed, at the rate whose median is lowest; infinity where it is never reached."""
    problem = stacked("spirals", seeds)
    found = []
    for rate in _RATES:
        stack = Stack(seeds, (2, 32, 32, 32, 1), activation.gain)
        trained = fit(problem, stack, activation, rate=rate, steps=_STEPS, momentum=0.9, target=_TARGET)
        found.append(first_step(trained.losses <= _TARGET))
    return min(found, key=lambda steps: (float(np.median(steps)), float(np.isinf(steps).mean())))


def convergence(seeds: Sequence[int]) -> Outcome:
    """Steps of gradient descent to a training loss of 0.1 on the spirals, relative to relu's."""
    with fixed():
        steps = {name: _steps(activation, seeds) for name, activation in ACTIVATIONS.items()}
    shown = {
        name: Figure(f"{name} steps", tuple(map(float, values)), "steps") for name, values in steps.items()
    }
    experiment = (
        f"steps to a loss of {_TARGET:g} on spirals over relu's; three hidden layers of 32, momentum 0.9, "
        f"best of {', '.join(f'{rate:g}' for rate in _RATES)} as rate, at most {_STEPS:,} steps"
    )

    def part(name: str, says: str, *beside: Figure) -> Part:
        ratios = tuple(_relative(float(a), float(b)) for a, b in zip(steps[name], steps["relu"], strict=True))
        return Part(f"steps_{name}", says, experiment, Figure(f"{name} / relu", ratios, "x"), _FASTER, beside)

    return Outcome(
        [
            part("tanh", "relu needs fewer steps than tanh", shown["relu"], shown["tanh"]),
            part("sigmoid", "relu needs fewer steps than sigmoid", shown["sigmoid"], shown["leaky_relu"]),
        ]
    )


def _relative(steps: float, relu: float) -> float:
    """steps / relu; unknown where neither got there."""
    return math.nan if math.isinf(steps) and math.isinf(relu) else steps / relu
