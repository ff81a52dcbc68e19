"""Whether what a network returned is right: within the bound of `kernels.networks.reference`.

A training step changes the weights.  Each batch starts from fresh ones and goes on from step to step, as real training
does.  After the last batch the weights have to stand where that many steps lead.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from kernels.networks import reference
from kernels.networks.case import NetworkCase
from kernels.networks.weights import Weights, unpack

__all__ = ["moved", "outputs", "rows", "steps", "trained"]

Array = np.ndarray[Any, Any]
_LATE_S = 0.05
"""After which a wrong result is looked at again, only to tell late from wrong."""
_OFF = 0.05
"""How far from where that many steps lead the weights may stand, as a share of the way."""
_LOSSES = 0.02
"""The same of the loss, as a share of the first loss."""


def outputs(case: NetworkCase, weights: Weights, x: Array, y: Any) -> tuple[str | None, float]:
    """(What is wrong with `y`, the outputs for `x`, or None; the largest share of the bound that an error takes)."""
    problem = _kind(y, (len(x), case.widths[2]))
    if problem:
        return problem, 0.0
    wanted = reference.forward(case, weights, x)
    return _compared("output", y, wanted.y, wanted.y_bound)


def rows(
    case: NetworkCase,
    weights: Weights,
    where: Array,
    x: Array,
    *,
    earlier: Sequence[Array],
    look: Callable[[], Any],
) -> str | None:
    """What is wrong with the rows `where` of the result that `look` shows, for the inputs `x`; names the trick.

    `earlier` are the inputs that stood in these rows before.
    """
    y = look()
    problem = _kind(y, (case.batch, case.widths[2]))
    if problem is None:
        problem = outputs(case, weights, x, y[where])[0]
    if problem is None:
        return None
    seen = np.array(y[where]) if isinstance(y, np.ndarray) and y.ndim == 2 else None
    if seen is None:
        return problem
    time.sleep(_LATE_S)
    if outputs(case, weights, x, look()[where])[0] is None:
        return f"returns before the work is done: right after sync, {problem}; a moment later it was right"
    if np.isnan(seen).all():
        return f"writes nothing: {problem}"
    if any(outputs(case, weights, before, seen)[0] is None for before in earlier):
        return f"returns an earlier result again (right for what an earlier call was given): {problem}"
    return problem


def trained(
    case: NetworkCase, weights: Weights, x: Array, target: Array | None, vector: Any, *, count: int
) -> tuple[str | None, float]:
    """As `outputs`, for loss and weights after `count` steps from `weights`, packed in `vector`."""
    problem = _kind(vector, (1 + case.parameters,))
    if problem:
        return problem, 0.0
    assert target is not None, "a training step comes with targets"
    wanted = reference.train(case, weights, x, target, count)
    loss, found = unpack(case, vector)
    checked = []
    for name, got, want, bound in zip(Weights._fields, found, wanted.weights, wanted.bounds, strict=True):
        checked.append(_compared(f"after {count} steps {name}", got, want, bound))
    # the loss last: weights that are wrong make it wrong, and they say where
    checked.append(
        _compared("loss", np.array([loss]), np.array([wanted.loss]), np.array([wanted.loss_bound]))
    )
    problems = [problem for problem, _ in checked if problem]
    return (problems[0] if problems else None), max(share for _, share in checked)


def moved(case: NetworkCase, weights: Weights, vector: Any) -> str | None:
    """Whether a training step's result is of numbers, and its weights are no longer `weights`."""
    problem = _kind(vector, (1 + case.parameters,))
    if problem:
        return problem
    if not np.isfinite(vector.sum(dtype=np.float64)):  # any NaN or infinity is in the sum
        return "loss or weights are not finite"
    if all(np.array_equal(now, first) for now, first in zip(unpack(case, vector)[1], weights, strict=True)):
        return "does nothing: the weights are what they were before training"
    return None


def steps(
    case: NetworkCase, weights: Weights, x: Array, target: Array | None, vector: Array, *, count: int
) -> str | None:
    """Whether `vector` is where `count` steps lead from `weights`, as far as can be told.

    A few large steps of the reference show roughly where that is (`reference.flow`): so an arm that
    leaves out one step in ten is found as long as its weights still move.
    """
    problem = moved(case, weights, vector)
    if problem:
        return problem
    assert target is not None, "a training step comes with targets"
    last_loss, wanted = reference.flow(case, weights, x, target, count)
    loss, found = unpack(case, vector)
    way = _norm(w - first for w, first in zip(wanted, weights, strict=True))
    off = _norm(w - now for w, now in zip(wanted, found, strict=True))
    rounding = 2.0**-24 * count**0.5 * _norm(weights)
    if off > _OFF * way + rounding:
        return (
            f"the weights are not where {count} steps lead: off by {off:.3g} on a way of {way:.3g} "
            f"(rounding explains {rounding:.1g})"
        )
    first_loss = reference.loss(reference.forward(case, weights, x).y, target)
    if abs(loss - last_loss) > _LOSSES * first_loss:
        return f"the loss after {count} steps is {loss:.4g}, wanted {last_loss:.4g} (it was {first_loss:.4g} at first)"
    return None


def _norm(arrays: Any) -> float:
    return float(sum(np.square(array, dtype=np.float64).sum() for array in arrays) ** 0.5)


def _kind(value: Any, shape: tuple[int, ...]) -> str | None:
    if not isinstance(value, np.ndarray):
        return f"returned {type(value).__name__}, wanted ndarray"
    if value.dtype != np.float32:
        return f"returned dtype {value.dtype}, wanted float32"
    return None if value.shape == shape else f"returned shape {value.shape}, wanted {shape}"


def _compared(name: str, got: Array, wanted: Array, bound: Array) -> tuple[str | None, float]:
    missing = np.isnan(wanted)
    if (np.isnan(got) != missing).any():
        where = tuple(int(i) for i in np.argwhere(np.isnan(got) != missing)[0])
        return f"{name} {list(where)} is {got[where]:.6g}, wanted {wanted[where]:.6g}", 0.0
    error = np.where(missing, 0.0, np.abs(got - wanted))
    bound = np.broadcast_to(bound, error.shape)
    share = np.where(missing, 0.0, error / np.where(missing, 1.0, bound))
    worst = np.unravel_index(int(share.argmax()), share.shape)
    used = float(share[worst])
    if used <= 1.0:
        return None, used
    place = list(map(int, worst))
    return (
        f"{name} {place} is {got[worst]:.8g}, wanted {wanted[worst]:.8g} ± {bound[worst]:.1g}; "
        f"{int((share > 1).sum())} of {share.size} are wrong"
    ), used
