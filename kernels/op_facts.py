"""What a case has to know of an op: how many arrays it reads, which parameters it has, and what these may be.

All else is in the op's own file (`kernels.ops`).  Imports the standard library only.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

__all__ = [
    "MAIN_OPS",
    "OPS",
    "OpFacts",
    "Parameter",
    "declare_op",
    "facts_of",
    "is_own",
    "params_for",
    "params_of_text",
    "text_of_params",
    "whole_params",
]

MAIN_OPS = ("relu", "leaky_relu")
"""What is measured where no op is named."""


@dataclass(frozen=True, slots=True)
class Parameter:
    """A number that an op is given beside arrays."""

    name: str
    usual: float
    low: float = -math.inf
    """The least that is allowed; as all of them finite."""
    high: float = math.inf

    @property
    def range_text(self) -> str:
        """What is allowed, in words."""
        if self.low == self.high:
            return f"{self.usual:g} alone"
        if math.isfinite(self.low) and math.isfinite(self.high):
            return f"{self.low:g} to {self.high:g}"
        return "any finite number"

    def allows(self, value: float) -> bool:
        """Whether it may be `value`."""
        return math.isfinite(value) and self.low <= value <= self.high


@dataclass(frozen=True, slots=True)
class OpFacts:
    """What a case has to know of its op."""

    inputs: int = 1
    """Arrays that the op is a function of: x, or (x, r)."""
    sloped: bool = False
    """Whether the axis `negative_slope` is a parameter of it."""
    params: tuple[Parameter, ...] = ()
    """Its other parameters, sorted by name."""
    learnt: bool = False
    """Whether its one parameter is learnt: backward gives the gradient of it, too, a sum over all elements."""

    def parameter(self, name: str) -> Parameter | None:
        """The one of that name, None where there is none."""
        return next((each for each in self.params if each.name == name), None)


_FACTS: Mapping[str, OpFacts] = {
    "relu": OpFacts(),
    "leaky_relu": OpFacts(sloped=True),
    "relu6": OpFacts(),
    "relu_squared": OpFacts(),
    "silu": OpFacts(),
    "sigmoid": OpFacts(),
    "tanh": OpFacts(),
    "gelu": OpFacts(),
    "gelu_tanh": OpFacts(),
    # Neither is infinite in float16, nor so large that what underflows before it is multiplied counts.
    "elu": OpFacts(params=(Parameter("alpha", 1.0, 0.0, 100.0),)),
    "prelu": OpFacts(params=(Parameter("slope", 0.25, -100.0, 100.0),), learnt=True),
    "add_relu": OpFacts(inputs=2),
}
_OWN: dict[str, OpFacts] = {}
_OWN_NAME = re.compile(r"[A-Z]\w*", re.ASCII)
_PAIR = re.compile(r"\s*([^\W\d]\w*)\s*=\s*([^\s=]+)\s*")

OPS: tuple[str, ...] = tuple(_FACTS)
"""The built-in ops, a file each in kernels/ops/."""


def is_own(op: str) -> bool:
    """Whether `op` is the name of a user's own op: a class's name, which begins with a capital letter."""
    return isinstance(op, str) and _OWN_NAME.fullmatch(op) is not None


def declare_op(name: str, facts: OpFacts) -> None:
    """Say what a case has to know of a user's own op.  Raises ValueError for a name that `is_own` does not hold of."""
    if not is_own(name):
        raise ValueError(f"op is {name!r}; a name of your own begins with a capital letter, as in Swish")
    _OWN[name] = facts


def facts_of(op: str) -> OpFacts:
    """The facts of an op; of one that was not declared here (it stands in somebody's file), the usual ones."""
    return _FACTS.get(op) or _OWN.get(op) or OpFacts()


def params_of_text(text: str) -> dict[str, float]:
    """The values by name in ``alpha=0.5``; several are joined by semicolons.  Of an empty text none.

    Raises ValueError: what came, and what is allowed.
    """
    found: dict[str, float] = {}
    for part in text.split(";") if text else ():
        match = _PAIR.fullmatch(part)
        value = _finite(match[2]) if match else None
        if match is None or value is None:
            raise ValueError(
                f"{text!r} gives no parameters; allowed: NAME=NUMBER, as in alpha=0.5, several joined by semicolons"
            )
        if match[1] in found:
            raise ValueError(f"{text!r} gives {match[1]} twice; give it once")
        found[match[1]] = value
    return found


def text_of_params(values: Mapping[str, float]) -> str:
    """``alpha=0.5``: sorted by name, joined by semicolons; empty where there is none."""
    return ";".join(f"{name}={values[name]!r}" for name in sorted(values))


def whole_params(op: str, text: str) -> str:
    """All parameters of an op: with the values in `text`, and those that it does not name with their usual ones.

    Raises ValueError for a parameter that the op does not have, and for a value that it does not allow.
    """
    given, facts = params_of_text(text), facts_of(op)
    if is_own(op) and op not in _OWN:
        return text_of_params(given)  # nobody here knows it
    for name, value in given.items():
        known = facts.parameter(name)
        if known is None:
            there = ", ".join(each.name for each in facts.params) or "none"
            raise ValueError(f"{op} has no parameter {name!r}; it has {there}")
        if not known.allows(value):
            raise ValueError(f"{name}={value:g} is out of the range of {op}; allowed: {known.range_text}")
    return text_of_params({each.name: each.usual for each in facts.params} | given)


def params_for(op: str, texts: Iterable[str]) -> tuple[str, ...]:
    """Those of `texts` that give parameters which the op has, each whole; where none does, its usual ones alone.

    Raises ValueError for a value that the op does not allow.
    """
    names = {each.name for each in facts_of(op).params}
    own = [text for text in texts if text and params_of_text(text).keys() <= names]
    return tuple(dict.fromkeys(whole_params(op, text) for text in own)) or (whole_params(op, ""),)


def _finite(text: str) -> float | None:
    try:
        value = float(text)
    except ValueError:
        return None
    return value if math.isfinite(value) else None
