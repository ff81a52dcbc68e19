"""Does relu avoid dead neurons?  The articles that say so have it backwards, but let the figures say it.

A unit is dead when it gives exactly 0, and so has a gradient of exactly 0, for every training point.  A network is born
dead when its last hidden layer gives the same for every point (Lu et al. 2020).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import cache

import numpy as np
import torch

from scripts._claims.data import rng, stacked
from scripts._claims.model import Figure, Outcome, Part, Rule, over
from scripts._claims.nets import ACTIVATIONS, Activation, Stack, fit, fixed

__all__ = ["BORN_AT", "HIGH_RATES", "High", "born_dead", "born_share", "far_negative", "high", "high_rate"]

_BIAS = -10.0
_WIDTHS = (2, 4, 8, 16)
"""Units of each layer: narrow networks are born dead, wide ones are not."""
_DEPTHS = (2, 5, 10, 20, 40)
"""Layers: deep networks are born dead, shallow ones are not."""
_NETWORKS = 100
"""Random networks for each seed: a share in whole per cent."""
_INPUTS = 64
"""Points at which a network has to give the same to count as dead."""
BORN_AT = (4, 20)
"""Width and depth at which a narrow network is judged."""
HIGH_RATES = (0.03, 0.1, 0.3)
_STEPS = 500
_NONE = Rule("<=", 0.01)
"""Hardly any network is born dead: one of `_NETWORKS`."""
_FEW = Rule("<=", 0.05)
"""Few units are dead: one in twenty."""


def far_negative(seeds: Sequence[int]) -> Outcome:
    """The largest gradient of a layer's weights when every unit has a bias of -10; 64 normal inputs of 16 numbers."""

    def largest(activation: Activation, seed: int) -> float:
        drawn = rng(seed, 9).normal(0, 1, (2, 64, 16)).astype(np.float32)
        x, weight = torch.from_numpy(drawn[0]), torch.from_numpy(drawn[1, :16] / 4).requires_grad_()
        (gradient,) = torch.autograd.grad(activation.function(x @ weight + _BIAS).sum(), weight)
        return float(gradient.abs().max())

    with fixed():
        figures = [
            Figure(name, tuple(largest(activation, seed) for seed in seeds))
            for name, activation in ACTIVATIONS.items()
        ]
    part = Part(
        "far_negative",
        "a relu unit far on the negative side still learns",
        f"largest gradient of a layer's weights, all biases {_BIAS:g}",
        figures[0],
        Rule(">", 0.0),
        tuple(figures[1:]),
    )
    return Outcome([part])


def born_share(activation: Activation, width: int, depth: int, seed: int) -> float:
    """The share of 100 networks (He initialisation, no biases, two inputs) that are born dead."""
    generator = rng(seed, 5)
    x = torch.from_numpy(generator.normal(0, 1, (1, _INPUTS, 2)).astype(np.float32)).expand(_NETWORKS, -1, -1)
    before = 2
    for _ in range(depth):
        drawn = generator.normal(0, math.sqrt(2 / before), (_NETWORKS, before, width)).astype(np.float32)
        x, before = activation.function(torch.bmm(x, torch.from_numpy(drawn))), width
    return float((x.amax(dim=1) == x.amin(dim=1)).all(dim=1).double().mean())


def born_dead(seeds: Sequence[int]) -> Outcome:
    """Shares of networks born dead by width and depth, as points; judged at two widths."""
    relu = ACTIVATIONS["relu"]
    with fixed():
        shares = {
            (width, depth): [born_share(relu, width, depth, seed) for seed in seeds]
            for width in _WIDTHS
            for depth in _DEPTHS
        }
    points = [over("relu", f"width {width}", depth, values) for (width, depth), values in shares.items()]

    def part(width: int, depth: int) -> Part:
        return Part(
            f"born_dead_{width}x{depth}",
            f"relu networks of {depth} layers of {width} are not born dead",
            f"share of {_NETWORKS} random networks per seed whose output is the same for {_INPUTS} points",
            Figure(f"width {width}", tuple(shares[width, depth]), "share"),
            _NONE,
        )

    return Outcome([part(*BORN_AT), part(_WIDTHS[-1], BORN_AT[1])], {"born_dead": points})


class High:
    """Training at a rate that may be too high: per seed, dead units, loss over variance, and whether it diverged."""

    def __init__(self, activation: Activation, rate: float, seeds: Sequence[int]) -> None:
        problem = stacked("waves", seeds, labels=False)
        stack = Stack(seeds, (problem.features, 64, 64, 1), activation.gain)
        found = fit(problem, stack, activation, rate=rate, steps=_STEPS, labels=False)
        variance = problem.y["train"].var(dim=(1, 2), correction=0).numpy()
        layers = [(layer == 0).all(dim=1).double().mean(dim=1) for layer in found.hidden(problem.x["train"])]
        self.diverged = found.diverged
        self.dead = np.where(self.diverged, math.nan, torch.stack(layers).mean(dim=0).numpy())
        self.loss = np.where(self.diverged, math.inf, found.losses[-1] / variance)


@cache
def _high(name: str, rate: float, seeds: tuple[int, ...]) -> High:
    with fixed():
        return High(ACTIVATIONS[name], rate, seeds)


def high(name: str, rate: float, seeds: Sequence[int]) -> High:
    """`High` for the activation of that name; trained once, whoever asks."""
    return _high(name, rate, tuple(seeds))


def high_rate(seeds: Sequence[int]) -> Outcome:
    """Dead units after training by learning rate; runs that diverged are counted apart."""
    outcome = Outcome(points={"dead_units": []})
    for rate in HIGH_RATES:
        found = high("relu", rate, seeds)
        outcome.points["dead_units"].append(
            over("dead units (runs that stayed finite)", "relu", rate, tuple(map(float, found.dead)))
        )
        outcome.parts.append(
            Part(
                f"dead_at_{rate:g}",
                f"relu units survive training at a rate of {rate:g}",
                f"share of units that are 0 on all training points after {_STEPS} steps of gradient descent; "
                "waves as regression, two hidden layers of 64",
                Figure("dead units", tuple(map(float, found.dead)), "share"),
                _FEW,
                (Figure("loss / variance (inf: diverged)", tuple(map(float, found.loss))),),
            )
        )
    return outcome
