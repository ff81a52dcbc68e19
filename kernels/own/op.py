"""A user's own op: ``--op FILE.py:Name``, from a class of plain functions to a `kernels.ops.formula.Formula`.

The class needs no base and no import of ours (docs/ops.md).  It is tried in a process of its own before anything is
measured, so that what is wrong with it is one line; then each process that measures loads it.
"""

from __future__ import annotations

import inspect
import math
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from kernels.api import OpFacts, declare_op
from kernels.ops import own
from kernels.ops.formula import Allowed, Expression, Formula, near
from kernels.own.loading import module_at
from kernels.plugins import nearest, one_line
from kernels.specs.asking import reply
from kernels.specs.op import MARK, is_op_spec

__all__ = ["answer", "load_ops"]

_FRAMEWORKS = ("numba", "numpy", "jax", "torch")
_ULPS = 16.0
"""Allowed where nothing is said: a few functions of libm one after the other."""
_X = np.linspace(-8.03, 8.05, 202)
"""Where an op is tried: ordinary numbers, none of them a likely kink."""


def load_ops(specs: Mapping[str, str]) -> None:
    """Load the ops among those specs, each once.  Raises whatever their files raise, and ValueError as `checked`."""
    for name, spec in specs.items():
        if is_op_spec(spec) and getattr(own.get(name), "spec", None) != spec:
            formula, facts = _made(spec)
            declare_op(name, facts)
            own[name] = formula


def answer(spec: str) -> None:
    """Reply with the facts of the op, and what is wrong with it.  Runs in the process that `checked` starts."""
    try:
        formula, facts = _made(spec)
        problem = _problem(formula, facts)
    except ModuleNotFoundError as error:
        reply({"problem": f"no module named {error.name!r}; install it, or leave out the expression"})
        return
    except ValueError as error:
        reply({"problem": " ".join(str(error).split())})
        return
    except Exception as error:  # noqa: BLE001  a user's file may raise anything; it is passed on, not hidden
        reply({"problem": one_line(error)})
        return
    reply({"problem": problem, "inputs": facts.inputs, "params": facts.params})


def _made(spec: str) -> tuple[Formula, OpFacts]:
    file, _, name = spec.removeprefix(MARK).rpartition(":")
    module = module_at(file)
    found = getattr(module, name, None)
    if not isinstance(found, type):
        guess = nearest(name, vars(module))
        raise ValueError(f"the file has no class {name!r}" + (f"; did you mean {guess!r}?" if guess else ""))
    functions = {key: value for key, value in vars(found).items() if not key.startswith("_")}
    functions = {key: getattr(found, key) for key in functions}
    if not callable(functions.get("reference")):
        raise ValueError("it has no function reference(x), which says on float64 what is right")
    if not any(callable(functions.get(framework)) for framework in _FRAMEWORKS):
        raise ValueError(f"it has no expression; give at least one function of {', '.join(_FRAMEWORKS)}")
    ulps = _ulps(functions.get("ulps", _ULPS))
    derivative = functions.get("derivative")
    formula = Formula(
        reference=_of_arrays(functions["reference"]),
        derivative=None if derivative is None else _of_arrays(derivative),
        forward=Allowed(ulps, ulps, scale=near, power=2, source="the user"),
        backward=Allowed(ulps, ulps, scale=lambda x: 1 + near(x), power=2, source="the user"),
        kinks=_kinks(functions.get("kinks", ())),
        spec=spec,
        numpy=_expression(functions, "numpy"),
        numba=_expression(functions, "numba"),
        jax=_expression(functions, "jax"),
        torch=_expression(functions, "torch"),
    )
    inputs = functions.get("inputs", 1)
    if inputs not in (1, 2):
        raise ValueError(f"inputs is {inputs!r}; allowed: 1 or 2")
    return formula, OpFacts(inputs=inputs, params=_params(functions.get("params", {})))


def _ulps(given: Any) -> float:
    if isinstance(given, int | float) and 0 <= given < math.inf:
        return float(given)
    raise ValueError(f"ulps is {given!r}; allowed: a number, 0 or more")


def _kinks(given: Any) -> tuple[float, ...]:
    if isinstance(given, list | tuple) and all(
        isinstance(each, int | float) and math.isfinite(each) for each in given
    ):
        return tuple(map(float, given))
    raise ValueError(f"kinks is {given!r}; allowed: a list of numbers")


def _params(given: Any) -> tuple[tuple[str, float], ...]:
    if isinstance(given, Mapping) and all(
        isinstance(name, str)
        and name.isidentifier()
        and isinstance(value, int | float)
        and math.isfinite(value)
        for name, value in given.items()
    ):
        return tuple(sorted((name, float(value)) for name, value in given.items()))
    raise ValueError(f"params is {given!r}; allowed: names with numbers, as in {{'beta': 1.5}}")


def _expression(functions: Mapping[str, Any], framework: str) -> Expression | None:
    forward, backward = functions.get(framework), functions.get(f"{framework}_backward")
    if forward is None:
        return None
    return Expression(
        _plainly(forward), _plainly(backward) if backward else None, _takes_out(forward), _takes_out(backward)
    )


def _of_arrays(function: Callable[..., Any]) -> Callable[..., Any]:
    return lambda *arrays, **values: function(*arrays)


def _plainly(function: Callable[..., Any]) -> Callable[..., Callable[..., Any]]:
    """A user's function has its parameters from its own file, and its framework too."""
    return lambda framework, **values: function


def _takes_out(function: Callable[..., Any] | None) -> bool:
    return function is not None and "out" in inspect.signature(function).parameters


def _problem(formula: Formula, facts: OpFacts) -> str:
    """What is wrong with what it says is right; empty if nothing is."""
    if facts.inputs not in (1, 2):
        return f"inputs is {facts.inputs}; allowed: 1 or 2"
    if facts.inputs == 2 and formula.derivative is not None:
        return "it has two inputs and a derivative; an op of two inputs is measured in forward only: leave it out"
    arrays = (_X, _X[::-1].copy())[: facts.inputs]
    problem = _of_values("reference", formula.reference(*arrays))
    if problem or formula.derivative is None:
        return problem
    found = formula.derivative(_X)
    problem = _of_values("derivative", found)
    if problem:
        return problem
    h = 1e-6
    with np.errstate(all="ignore"):
        wanted = (formula.reference(_X + h) - formula.reference(_X - h)) / (2 * h)
    off = np.abs(found - wanted) > 1e-4 * np.maximum(np.abs(wanted), 1)
    for kink in formula.kinks:
        off &= np.abs(_X - kink) > 2 * h
    if off.any():
        i = int(np.flatnonzero(off)[0])
        return f"derivative gives {found[i]:.6g} at x={_X[i]:g}, where the reference rises by {wanted[i]:.6g}"
    return ""


def _of_values(what: str, values: Any) -> str:
    if not isinstance(values, np.ndarray) or values.dtype != np.float64:
        kind = values.dtype if isinstance(values, np.ndarray) else type(values).__name__
        return f"{what} returns {kind} for an array of float64; wanted an array of float64"
    if values.shape != _X.shape:
        return f"{what} returns shape {values.shape} for shape {_X.shape}; it works element by element"
    if not np.isfinite(values).all():
        i = int(np.flatnonzero(~np.isfinite(values))[0])
        return f"{what} gives {values[i]} at x={_X[i]:g}; it has to be finite for ordinary numbers"
    return ""
