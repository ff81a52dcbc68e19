"""Does a slope cure dead units, how fast, and what does it not cure?

A unit of LeakyReLU is never dead by definition, so counting dead units proves nothing; nor does a run that diverged.
What counts is whether a network that was put into the dead state learns its problem after all.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch

from scripts._claims.data import stacked
from scripts._claims.dying import BORN_AT, HIGH_RATES, born_share, high
from scripts._claims.model import Figure, Outcome, Part, Rule, over
from scripts._claims.nets import ACTIVATIONS, Activation, Stack, first_step, fit, fixed, leaky

__all__ = ["born_alive", "recovery", "still_diverges"]

_STEPS = 2000
"""Steps at most; a network that needs more has not recovered."""
_TARGET = 0.3
"""The loss that shows that the problem was learnt: far below that of guessing."""
_MARGIN = 0.5
"""How far below its first activity every unit of the dead layer is put: a single step cannot wake it by chance."""
_SLOPES = (0.01, 0.1, 0.2)
_LEARNT = Rule("<=", 0.5)


def _recovery_steps(activation: Activation, seeds: Sequence[int]) -> Figure:
    """Steps from the dead state to the target loss per seed; infinity if never, NaN for a run that diverged."""
    problem = stacked("spirals", seeds)
    stack = Stack(seeds, (2, 32, 32, 1), activation.gain)
    with torch.no_grad():  # every unit of the first layer a margin below its first activity
        top = torch.bmm(problem.x["train"], stack.weights[0]).amax(dim=1, keepdim=True)
        stack.biases[0].copy_(-top - _MARGIN)
    found = fit(problem, stack, activation, rate=0.1, steps=_STEPS, momentum=0.9, target=_TARGET)
    steps = np.where(found.diverged, np.nan, first_step(found.losses <= _TARGET))
    return Figure(activation.name, tuple(map(float, steps)), "steps")


def recovery(seeds: Sequence[int]) -> Outcome:
    """Steps from a dead first layer to a training loss of 0.3 on the spirals (guessing: 0.69), by slope."""
    experiment = (
        f"steps to a loss of {_TARGET:g} on spirals from a first layer of 32 dead units, {_STEPS:,} at most; "
        "two hidden layers, rate 0.1, momentum 0.9"
    )
    with fixed():
        stuck = _recovery_steps(ACTIVATIONS["relu"], seeds)
        found = {slope: _recovery_steps(leaky(slope), seeds) for slope in _SLOPES}
    parts = [Part("relu_stays", "relu does not recover by itself", experiment, stuck, Rule(">", _STEPS))]
    parts += [
        Part(f"recovers_{slope:g}", f"a slope of {slope:g} recovers", experiment, figure, Rule("<=", _STEPS))
        for slope, figure in found.items()
    ]
    return Outcome(parts)


def born_alive(seeds: Sequence[int]) -> Outcome:
    """The share of LeakyReLU networks that are born dead where many relu networks are."""
    width, depth = BORN_AT
    with fixed():
        relu, other = (
            Figure(name, tuple(born_share(ACTIVATIONS[name], width, depth, seed) for seed in seeds), "share")
            for name in ("relu", "leaky_relu")
        )
    part = Part(
        "born_alive",
        f"leaky_relu networks of {depth} layers of {width} are not born dead",
        "share of 100 random networks per seed whose output is the same for 64 points",
        other,
        Rule("<=", 0.01),
        (relu,),
    )
    return Outcome([part])


def still_diverges(seeds: Sequence[int]) -> Outcome:
    """Does leaky_relu learn at the rates at which relu's units die?  A run that diverged counts as not cured."""
    outcome = Outcome(points={"dead_units": []})
    for name in ("relu", "leaky_relu"):
        outcome.points["dead_units"] += [
            over("runs that diverged", name, rate, [float(high(name, rate, seeds).diverged.mean())])
            for rate in HIGH_RATES
        ]
    for rate in HIGH_RATES[1:]:
        relu, other = (high(name, rate, seeds) for name in ("relu", "leaky_relu"))
        outcome.parts.append(
            Part(
                f"learns_at_{rate:g}",
                f"leaky_relu learns at a rate of {rate:g}, where relu units die",
                "loss over variance after 500 steps, waves as regression, two hidden layers of 64; inf: diverged",
                Figure("leaky_relu", tuple(map(float, other.loss))),
                _LEARNT,
                (
                    Figure("relu", tuple(map(float, relu.loss))),
                    Figure("leaky_relu runs diverged", (float(other.diverged.mean()),), "share"),
                    Figure("relu runs diverged", (float(relu.diverged.mean()),), "share"),
                ),
            )
        )
    return outcome
