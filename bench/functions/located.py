"""Where another process finds a function, and whose arrays it is called with."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from bench.plan.experiments import CONTROLS
from bench.plan.function_case import FUNCTION
from kernels import registry
from kernels.own.loading import GIVEN
from kernels.plugins import NAME, NAME_RULE
from kernels.specs.function import CallableSpec, parse_callable

__all__ = ["Function", "kind_of_array", "located"]

Function = Callable[..., Any] | str
_FRAMEWORKS: Mapping[str, str] = {"numpy": "numpy", "torch": "torch", "jax": "jax", "jaxlib": "jax"}
_ADVICE = (
    "put it into a file, as in my.py, and give my.f or 'my.py:f' (in a notebook %%writefile my.py does it), "
    "or compare inline with isolation='inline'"
)


def kind_of_array(x: object, name: str = "x") -> str:
    """Whose array it is.  Raises TypeError in one line."""
    kind = _FRAMEWORKS.get(type(x).__module__.partition(".")[0])
    if kind is None or not hasattr(x, "shape"):
        raise TypeError(
            f"{name} is a {type(x).__name__}; allowed: an array of NumPy or JAX, or a torch tensor"
        )
    return kind


def located(name: str, function: Function, kind: str, *, inline: bool) -> CallableSpec:
    """What stands for a function in the process that measures it; a function of no framework takes arrays of `kind`.

    Raises ValueError or TypeError in one line: no such name or file, or no other process can find it.
    """
    _check_name(name)
    if isinstance(function, str):
        given = parse_callable(function, (FUNCTION,), (FUNCTION,))
        return CallableSpec(name, FUNCTION, given.kind, given.path, given.function)
    if not callable(function):
        raise TypeError(
            f"{name!r} is a {type(function).__name__}; allowed: a function, or text as in 'my.py:relu'"
        )
    kind = _FRAMEWORKS.get(_module_of(function).partition(".")[0], kind)
    if inline:
        return CallableSpec(name, FUNCTION, kind, GIVEN, f"f{id(function)}")
    path, attribute = _place(name, function)
    return CallableSpec(name, FUNCTION, kind, path, attribute)


def _check_name(name: object) -> None:
    if not isinstance(name, str) or not NAME.fullmatch(name):
        raise ValueError(f"{repr(name)[:80]} is no name of a function; {NAME_RULE}")
    if name in CONTROLS or name in registry.names():
        raise ValueError(f"{name!r} is the name of a built-in; choose another one")


def _module_of(function: Callable[..., Any]) -> str:
    """torch's and NumPy's own builtins say it in several ways."""
    for owner in (function, getattr(function, "__self__", None), type(function)):
        module = getattr(owner, "__module__", None)
        if isinstance(module, str) and module not in ("builtins", "functools"):
            return module
    return ""


def _place(name: str, function: Callable[..., Any]) -> tuple[str, str]:
    attribute = getattr(function, "__name__", "")
    for module in _modules(function):
        found = sys.modules.get(module)
        if found is None or getattr(found, attribute, None) is not function:
            continue
        if module != "__main__":
            return module, attribute
        file = getattr(found, "__file__", None)
        if file is not None and Path(file).suffix == ".py":
            return str(Path(file).resolve()), attribute
    kind = "a lambda" if attribute == "<lambda>" else f"{attribute or type(function).__name__}"
    raise ValueError(f"{name!r} is {kind}, which no other process can find: {_ADVICE}")


def _modules(function: Callable[..., Any]) -> list[str]:
    """Where it may be: its own module, then the framework itself, which has builtins of modules of other names."""
    own = _module_of(function)
    return [own, own.partition(".")[0], *_FRAMEWORKS]
