"""A user's own op: ``--op FILE.py:Name``, from a class of plain functions to a `kernels.ops.formula.Formula`.

The class needs no base and no import of ours (docs/ops.md).  It is tried in a process of its own before anything is
measured, so that what is wrong with it is one line; then each process that measures loads it.
"""

from __future__ import annotations

import functools
import inspect
import math
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from kernels.op_facts import OpFacts, Parameter, declare_op
from kernels.ops import own
from kernels.ops.formula import Allowed, Expression, Formula, near
from kernels.own.loading import module_at
from kernels.plugins import nearest, one_line
from kernels.specs.asking import reply
from kernels.specs.op import MARK, is_op_spec

__all__ = ["answer", "load_ops"]

_FRAMEWORKS = ("numba", "numpy", "jax", "torch")
_COMPUTING = ("reference", "derivative", *_FRAMEWORKS, *(f"{name}_backward" for name in _FRAMEWORKS))
"""What a class may have that is called with arrays, or numbers."""
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
    params = [[each.name, each.usual, each.low, each.high] for each in facts.params]
    reply({"problem": problem, "inputs": facts.inputs, "params": params})


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
        forward=Allowed(ulps, ulps, scale=lambda x, **_: near(x), power=2, source="the user"),
        backward=Allowed(ulps, ulps, scale=lambda x, **_: 1 + near(x), power=2, source="the user"),
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
    return formula, OpFacts(inputs=inputs, params=_parameters(functions))


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


def _parameters(functions: Mapping[str, Any]) -> tuple[Parameter, ...]:
    """Those that every function takes as an argument may be set; those that none takes have the value in the file."""
    given = _params(functions.get("params", {}))
    computing = {name: each for name, each in functions.items() if name in _COMPUTING and callable(each)}
    found = []
    for name, usual in sorted(given.items()):
        taking = [key for key, each in computing.items() if name in _arguments(each)]
        if taking and len(taking) < len(computing):
            others, there = (
                ", ".join(key for key in computing if (key in taking) == has) for has in (False, True)
            )
            raise ValueError(
                f"{name} is an argument of {there} and not of {others}; give it to all or to none"
            )
        found.append(Parameter(name, usual) if taking else Parameter(name, usual, usual, usual))
    return tuple(found)


def _params(given: Any) -> dict[str, float]:
    if isinstance(given, Mapping) and all(
        isinstance(name, str)
        and name.isidentifier()
        and isinstance(value, int | float)
        and math.isfinite(value)
        for name, value in given.items()
    ):
        return {name: float(value) for name, value in given.items()}
    raise ValueError(f"params is {given!r}; allowed: names with numbers, as in {{'beta': 1.5}}")


def _expression(functions: Mapping[str, Any], framework: str) -> Expression | None:
    forward, backward = functions.get(framework), functions.get(f"{framework}_backward")
    if forward is None:
        return None
    return Expression(
        _maker(framework, forward),
        _maker(framework, backward) if backward else None,
        "out" in _arguments(forward),
        backward is not None and "out" in _arguments(backward),
    )


def _arguments(function: Callable[..., Any]) -> tuple[str, ...]:
    try:
        return tuple(inspect.signature(function).parameters)
    except (ValueError, TypeError):  # a builtin
        return ()


def _of_arrays(function: Callable[..., Any]) -> Callable[..., Any]:
    """With those of an op's parameters that it asks for."""
    names = _arguments(function)
    return lambda *arrays, **values: function(
        *arrays, **{name: value for name, value in values.items() if name in names}
    )


def _maker(framework: str, function: Callable[..., Any]) -> Callable[..., Callable[..., Any]]:
    """A user's function has its framework from its own file, and its parameters too unless it asks for them."""

    def make(_framework: Any, **values: float) -> Callable[..., Any]:
        given = {name: values[name] for name in _arguments(function) if name in values}
        if not given:
            return function
        if framework == "numba":
            return _with_constants(function, tuple(given.values()))
        return functools.partial(function, **given)

    return make


def _with_constants(function: Callable[..., Any], values: tuple[float, ...]) -> Callable[..., Any]:
    """Of numbers alone, for Numba, which compiles no partial."""
    from numba.extending import register_jitable  # noqa: PLC0415  # not for who asks for another framework

    element = register_jitable(function)
    if len(_arguments(function)) - len(values) > 1:
        return lambda g, v: element(g, v, *values)
    return lambda v: element(v, *values)


def _problem(formula: Formula, facts: OpFacts) -> str:
    """What is wrong with what it says is right; empty if nothing is."""
    if facts.inputs not in (1, 2):
        return f"inputs is {facts.inputs}; allowed: 1 or 2"
    if facts.inputs == 2 and formula.derivative is not None:
        return "it has two inputs and a derivative; an op of two inputs is measured in forward only: leave it out"
    arrays = (_X, _X[::-1].copy())[: facts.inputs]
    usual = {each.name: each.usual for each in facts.params}
    problem = _of_values("reference", formula.reference(*arrays, **usual))
    if problem or formula.derivative is None:
        return problem
    found = formula.derivative(_X, **usual)
    problem = _of_values("derivative", found)
    if problem:
        return problem
    h = 1e-6
    with np.errstate(all="ignore"):
        wanted = (formula.reference(_X + h, **usual) - formula.reference(_X - h, **usual)) / (2 * h)
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
