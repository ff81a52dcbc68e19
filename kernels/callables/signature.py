"""What a function takes says what it can be asked for: directions, placements, parameters of the op."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from kernels.api import Case

__all__ = ["C_FUNCTION", "Takes", "takes_of"]

_PARAMETERS = ("negative_slope",)
"""Parameters of ops that a function may ask for by name."""
_ALLOWED = f"allowed: (x), (x, out), (dy, x) and (dy, x, out), each also with {', '.join(_PARAMETERS)}"


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
        return {name: getattr(case, name) for name in self.parameters}


C_FUNCTION = Takes("(const float *x, float *out, size_t n)", out=True)
"""``new`` by an array that is allocated for each call, as a wrapper in Python would do it."""


def takes_of(function: Callable[..., Any]) -> Takes:
    """From its signature; one that has none, as a builtin, takes (x).  Raises ValueError for what cannot be called."""
    try:
        given = inspect.signature(function).parameters.values()
    except (ValueError, TypeError):
        return Takes("(x)")
    named = [each for each in given if each.kind not in (each.VAR_POSITIONAL, each.VAR_KEYWORD)]
    text = f"({', '.join(each.name for each in named)})"
    arrays = [each.name for each in named if each.kind != each.KEYWORD_ONLY]
    backward = arrays[:1] == ["dy"]
    rest = named[2 if backward else 1 :]
    needless = [each for each in rest if each.name in ("out", *_PARAMETERS) or each.default is each.empty]
    unknown = [each.name for each in needless if each.name not in ("out", *_PARAMETERS)]
    if unknown or len(arrays) < 1 + backward:
        raise ValueError(f"takes {text}; {_ALLOWED}")
    out = next((each for each in rest if each.name == "out"), None)
    return Takes(
        text,
        backward,
        new=out is None or out.default is not out.empty,
        out=out is not None,
        out_by_name=out is not None and (out.kind == out.KEYWORD_ONLY or rest[0] is not out),
        parameters=tuple(each.name for each in rest if each.name in _PARAMETERS),
    )
