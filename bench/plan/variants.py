"""Arms under other conditions: environment variables (``--variant``), or another Python (``--arm``)."""

from __future__ import annotations

import itertools
import re
from collections.abc import Sequence
from functools import partial

from bench.plan import option_values as values_as
from bench.plan.experiments import Variant
from bench.plan.interpreters import usable_interpreter
from bench.plan.option_values import OptionError, taken

__all__ = ["variants_of"]

_NAMED = re.compile(r"([\w.-]+)(?:@([\w.-]+))?:(.+)", re.DOTALL)
_SHAPES = {
    "variant": "NAME[@BACKEND]:K=V[,K=V], as thp:THP_MEM_ALLOC_ENABLE=1",
    "arm": "NAME@BACKEND:python=PATH[,K=V], as old@numba_jit:python=/path/to/venv/bin/python",
}


def variants_of(variants: Sequence[str], arms: Sequence[str], measured: Sequence[str]) -> tuple[Variant, ...]:
    """What both options say; `measured` are the backends that there are.  Raises OptionError."""
    found = [_variant(text, measured) for text in variants] + [_arm(text, measured) for text in arms]
    for one, other in itertools.combinations(found, 2):
        if one.name != other.name:
            continue
        option = "arm" if other.python else "variant"
        if one.backend == other.backend or "" in (one.backend, other.backend):
            raise OptionError(
                option, f"{one.name!r} is given twice for a backend; give each a name of its own"
            )
        if (one.environ, one.python) != (
            other.environ,
            other.python,
        ):  # a name stands for one thing in a run's files
            raise OptionError(option, f"{one.name!r} is two different things; give each a name of its own")
    return tuple(found)


def _variant(text: str, measured: Sequence[str]) -> Variant:
    name, backend, pairs = _parsed("variant", text, measured)
    return Variant(name, pairs, backend)


def _arm(text: str, measured: Sequence[str]) -> Variant:
    name, backend, pairs = _parsed("arm", text, measured)
    if not backend or not pairs or pairs[0][0] != "python":
        raise OptionError("arm", f"{text!r} names no Python; allowed: {_SHAPES['arm']}")
    python = taken("arm", usable_interpreter, pairs[0][1])
    return Variant(name, pairs[1:], backend, python)


def _parsed(option: str, text: str, measured: Sequence[str]) -> tuple[str, str, tuple[tuple[str, str], ...]]:
    match = _NAMED.fullmatch(text)
    pairs = [pair.partition("=") for pair in match[3].split(",")] if match else []
    if match is None or any(not sign or not re.fullmatch(r"[A-Za-z_]\w*", key) for key, sign, _ in pairs):
        raise OptionError(option, f"{text!r} is no {option}; allowed: {_SHAPES[option]}")
    word = partial(values_as.one_of, measured)
    backend = taken(option, word, match[2]) if match[2] else ""
    return match[1], backend, tuple((key, value) for key, _, value in pairs)
