"""Are the activations sparse, and do sparse ones generalise better?

The same network (two hidden layers of 32) with each activation, on problems made here; Adam, 400 steps, the learning
rate picked per seed and activation on validation points, the accuracy counted on 2,000 others.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

import numpy as np
import pandas as pd

from scripts._claims.data import Problem, stacked
from scripts._claims.model import Figure, Outcome, Part, Rule
from scripts._claims.nets import ACTIVATIONS, Activation, Fit, Stack, fit, fixed

__all__ = ["generalisation", "more_zeros"]

_RATES = (0.003, 0.01, 0.03)
_STEPS = 400
_PENALTIES = (0.0, 0.01, 0.03, 0.1)
_MIN_ZEROS = Rule(">=", 0.3)
"""Sparse: about every third output is 0.  Inputs of random sign give a half."""
_MIN_GAIN = Rule(">=", 0.005)
"""A gain in accuracy that is worth a word: ten of the 2,000 test points."""
_MIN_RANK = Rule(">=", 0.5)
"""A rank correlation that is usually called strong."""
_SETUP = "two hidden layers of 32, 200 training points, Adam, 400 steps"


def _stack(problem: Problem, seeds: Sequence[int], activation: Activation) -> Stack:
    return Stack(seeds, (problem.features, 32, 32, 1), activation.gain)


def _accuracy(found: Fit, problem: Problem, part: str) -> np.ndarray:
    """Share of right answers per seed."""
    right = (found.output(problem.x[part]) > 0) == (problem.y[part] > 0.5)
    return np.asarray(right.double().mean(dim=(1, 2)).numpy())


def _zeros(found: Fit, problem: Problem) -> np.ndarray:
    """Share of exact zeros in the hidden layers' outputs on test points, per seed."""
    layers = [(layer == 0).double().mean(dim=(1, 2)).numpy() for layer in found.hidden(problem.x["test"])]
    return np.asarray(np.mean(layers, axis=0))


def _trained(problem: Problem, seeds: Sequence[int], activation: Activation) -> dict[str, np.ndarray]:
    """Per seed: zeros before and after training, and test accuracy, at the rate that validates best."""
    fits = [
        fit(problem, _stack(problem, seeds, activation), activation, rate=rate, steps=_STEPS, adam=True)
        for rate in _RATES
    ]
    best = np.argmax([_accuracy(found, problem, "valid") for found in fits], axis=0)

    def picked(values: list[np.ndarray]) -> np.ndarray:
        return np.asarray(np.array(values)[best, np.arange(len(best))])

    untrained = Fit(_stack(problem, seeds, activation), activation, fits[0].losses)
    return {
        "init": _zeros(untrained, problem),
        "zeros": picked([_zeros(found, problem) for found in fits]),
        "accuracy": picked([_accuracy(found, problem, "test") for found in fits]),
    }


def generalisation(name: str, seeds: Sequence[int]) -> Outcome:
    """Zeros and test accuracy of the four activations on problem `name`."""
    with fixed():
        problem = stacked(name, seeds)
        found = {key: _trained(problem, seeds, activation) for key, activation in ACTIVATIONS.items()}

    def shares(what: str, unit: str = "share") -> list[Figure]:
        return [Figure(key, tuple(map(float, found[key][what])), unit) for key in ACTIVATIONS]

    accuracy = {key: found[key]["accuracy"] for key in ACTIVATIONS}
    smooth = np.maximum(accuracy["tanh"], accuracy["sigmoid"])
    part = partial(_part, name)
    init, zeros = shares("init"), shares("zeros")
    tested = shares("accuracy", "accuracy")
    return Outcome(
        [
            part("zeros_init", "relu outputs are sparse before training", init[0], _MIN_ZEROS, *init[1:]),
            part("zeros_trained", "relu outputs are sparse after training", zeros[0], _MIN_ZEROS, *zeros[1:]),
            part(
                "against_leaky",
                "relu generalises better than leaky_relu, the same without zeros",
                _gain("accuracy gained", accuracy["relu"] - accuracy["leaky_relu"]),
                _MIN_GAIN,
                *tested[:2],
            ),
            part(
                "against_smooth",
                "relu generalises better than the better of tanh and sigmoid",
                _gain("accuracy gained", accuracy["relu"] - smooth),
                _MIN_GAIN,
                *tested[2:],
            ),
        ]
    )


def more_zeros(name: str, seeds: Sequence[int]) -> Outcome:
    """Rank correlation over L1 penalties between the share of zeros and test accuracy, per seed."""
    relu = ACTIVATIONS["relu"]
    with fixed():
        problem = stacked(name, seeds)
        fits = [
            fit(
                problem,
                _stack(problem, seeds, relu),
                relu,
                rate=0.01,
                steps=_STEPS,
                adam=True,
                sparsity=penalty,
            )
            for penalty in _PENALTIES
        ]
    zeros = np.array([_zeros(found, problem) for found in fits])
    accuracy = np.array([_accuracy(found, problem, "test") for found in fits])
    ranks = tuple(_rank_correlation(zeros[:, i], accuracy[:, i]) for i in range(len(seeds)))
    beside = (
        Figure("zeros without penalty", tuple(zeros[0]), "share"),
        Figure(f"at {_PENALTIES[-1]:g}", tuple(zeros[-1]), "share"),
        Figure("accuracy without", tuple(accuracy[0]), "accuracy"),
        Figure(f"at {_PENALTIES[-1]:g}", tuple(accuracy[-1]), "accuracy"),
    )
    says = "the more zeros an L1 penalty forces, the better the accuracy"
    return Outcome([_part(name, "more_zeros", says, Figure("rank correlation", ranks), _MIN_RANK, *beside)])


def _rank_correlation(a: np.ndarray, b: np.ndarray) -> float:
    """Spearman's coefficient, ties sharing their rank; 0 where one side does not vary at all."""
    x, y = (pd.Series(values).rank().to_numpy() for values in (a, b))
    return float(np.corrcoef(x, y)[0, 1]) if np.ptp(x) and np.ptp(y) else 0.0


def _gain(name: str, values: np.ndarray) -> Figure:
    return Figure(name, tuple(map(float, values)), "accuracy")


def _part(problem: str, name: str, says: str, judged: Figure, rule: Rule, *beside: Figure) -> Part:
    return Part(f"{name}_{problem}", f"{says} ({problem})", f"{problem}; {_SETUP}", judged, rule, beside)
