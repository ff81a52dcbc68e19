"""What a function takes says what it can be asked for: directions, placements, parameters of the op."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Collection
from dataclasses import dataclass
from typing import Any

import numpy as np

from kernels.api import Case, OpFacts

__all__ = ["C_FUNCTION", "Takes", "takes_of"]


@dataclass(frozen=True, slots=True)
class Takes:
    """The arguments of a function."""

    text: str
    """As people write them: ``(x, out)``."""
    backward: bool = False
    new: bool = True
    """Whether it can be called without `out`."""
    out: bool = False
    out_by_name: bool = False
    parameters: tuple[str, ...] = ()

    def why_not(self, case: Case) -> str | None:
        """Why it cannot be called for the case; None if it can."""
        if (case.direction == "backward") != self.backward:
            other = "(x)" if self.backward else "(dy, x)"
            return f"a function of {self.text} has no {case.direction}; one of {other} has"
        if case.placement == "inplace":
            return "a function returns its result or writes it into out; for inplace write a plugin (docs/own.md)"
        if case.placement == "out" and not self.out:
            return (
                f"a function of {self.text} allocates its result; one that takes out, too, has placement out"
            )
        if case.placement == "new" and not self.new:
            return f"a function of {self.text} writes into out; give out the default None for placement new"
        return None

    def keywords(self, case: Case) -> dict[str, Any]:
        """What is given by name: the case's parameters that it asks for."""
        return {name: case.values[name] for name in self.parameters}


C_FUNCTION = Takes("(const float *x, float *out, size_t n)", out=True)
"""``new`` by an array that is allocated for each call, as a wrapper in Python would do it."""


def takes_of(function: Callable[..., Any], op: OpFacts, parameters: Collection[str]) -> Takes:
    """From its signature; one that has none, as a builtin, takes (x).  NumPy's ufuncs take `out`, with any NumPy.

    `parameters` are the op's, which a function may ask for by name.  Raises ValueError for what cannot be called.
    """
    if isinstance(function, np.ufunc):  # before 2.4 NumPy's have no signature
        return _of_ufunc(function, op)
    try:
        given = inspect.signature(function).parameters.values()
    except (ValueError, TypeError):
        return Takes("(x)")
    named = [each for each in given if each.kind not in (each.VAR_POSITIONAL, each.VAR_KEYWORD)]
    text = f"({', '.join(each.name for each in named)})"
    arrays = [each.name for each in named if each.kind != each.KEYWORD_ONLY]
    backward = arrays[:1] == ["dy"]
    count = op.inputs + backward
    rest = named[count:]
    unknown = [e for e in rest if e.name not in ("out", *parameters) and e.default is e.empty]
    if unknown or len(arrays) < count or (backward and op.inputs > 1):
        raise ValueError(f"takes {text}; allowed: {_allowed(op, parameters)}")
    out = next((each for each in rest if each.name == "out"), None)
    return Takes(
        text,
        backward,
        new=out is None or out.default is not out.empty,
        out=out is not None,
        out_by_name=out is not None and (out.kind == out.KEYWORD_ONLY or rest[0] is not out),
        parameters=tuple(each.name for each in rest if each.name in parameters),
    )


def _of_ufunc(function: np.ufunc, op: OpFacts) -> Takes:
    inputs = ("(x)", "(x, r)")[op.inputs - 1]
    if (function.nin, function.nout) != (op.inputs, 1):
        raise ValueError(
            f"is a ufunc of {function.nin} arrays with {function.nout} results; allowed: one of {inputs} with one"
        )
    return Takes(f"{inputs[:-1]}, out)", out=True, out_by_name=True)


def _allowed(op: OpFacts, parameters: Collection[str]) -> str:
    forms = "(x), (x, out), (dy, x) and (dy, x, out)" if op.inputs == 1 else "(x, r) and (x, r, out)"
    return f"{forms}, each also with {', '.join(parameters)}" if parameters else forms
