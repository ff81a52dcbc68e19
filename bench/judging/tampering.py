"""Did a backend replace a part of what judges it?

A backend shares its process with the code that times and checks it, and Python lets it replace any of that.  This finds
the plain ways; a backend that also tampers with this check cannot be detected here.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator, Mapping
from functools import cached_property
from types import FunctionType, ModuleType

from kernels import api, correctness, networks, numbers
from kernels.gpu import card

__all__ = ["replaced", "snapshot"]

_HARNESS = __name__.rsplit(".", 2)[0]
"""The package of which this room is a part, under whatever name it is installed."""
_WATCHED = tuple(
    f"{name}." for name in (_HARNESS, *(m.__name__ for m in (api, correctness, networks, numbers, card)))
)
"""Every module with one of these names, or below it, times or judges an arm."""

Parts = Mapping[str, tuple[object, ...]]
"""What stands behind each dotted name; a function is its code and its defaults, all else is itself."""


def snapshot() -> Parts:
    """The clocks, and all that is bound in the modules that time and judge, as far as they are imported."""
    return dict(_parts())


def replaced(before: Parts) -> str | None:
    """The first name behind which another thing stands than `before`; None if there is none."""
    now = snapshot()
    return next((name for name, part in before.items() if not _same(part, now.get(name, ()))), None)


def _same(one: tuple[object, ...], other: tuple[object, ...]) -> bool:
    return len(one) == len(other) and all(a is b for a, b in zip(one, other, strict=True))


def _parts() -> Iterator[tuple[str, tuple[object, ...]]]:
    yield from _of_module(time.__name__, time)
    for name, module in list(sys.modules.items()):
        if f"{name}.".startswith(_WATCHED):
            yield from _of_module(name, module)


def _of_module(name: str, module: ModuleType) -> Iterator[tuple[str, tuple[object, ...]]]:
    for key, value in list(vars(module).items()):
        if key.startswith("__"):
            continue
        if (
            getattr(value, "__module__", None) != name
        ):  # a constant, or imported: looked into where it is defined
            yield f"{name}.{key}", (value,)
            continue
        yield f"{name}.{key}", _part(value)
        for inner, member in list(vars(value).items()) if isinstance(value, type) else ():
            yield f"{name}.{key}.{inner}", _part(member)


def _part(value: object) -> tuple[object, ...]:
    """What `value` does when it is called or read: of a function its code, with that of those it wraps."""
    if isinstance(value, property):
        return (*_part(value.fget), *_part(value.fset))
    if isinstance(value, cached_property):
        return _part(value.func)
    own: tuple[object, ...] = (value,)
    if isinstance(value, FunctionType):
        own = (value.__code__, value.__defaults__, value.__kwdefaults__)
    wrapped = getattr(value, "__wrapped__", None) if callable(value) else None
    return own if wrapped is None else (*own, *_part(wrapped))
