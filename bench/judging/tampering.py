"""Did a backend replace a part of what judges it?

A backend shares its process with the code that times and checks it, and Python lets it replace any of that.  This finds
the plain ways; a backend that also tampers with this check cannot be detected here.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator, Mapping
from functools import cached_property
from itertools import chain
from operator import attrgetter, is_, methodcaller
from types import FunctionType, ModuleType

from kernels import api, correctness, networks, numbers
from kernels.gpu import card

__all__ = ["Watch", "replaced", "snapshot"]

_HARNESS = __name__.rsplit(".", 2)[0]
"""The package of which this room is a part, under whatever name it is installed."""
_WATCHED = tuple(
    f"{name}." for name in (_HARNESS, *(m.__name__ for m in (api, correctness, networks, numbers, card)))
)
"""Every module with one of these names, or below it, times or judges an arm."""

_HOT = tuple(
    f"{_HARNESS}.{name}"
    for name in (
        "arm.call_loops", "arm.looks", "arm.server", "arm.timed_loop", "arrays.call_ring",
        "judging.diagnosis", "judging.plants", "machine.clocks", "machine.own_usage",
    )
)  # fmt: skip
"""The modules that are at work while a batch is timed, with the clocks that they read."""
_code_of, _values_of = attrgetter("__code__"), methodcaller("values")

Parts = Mapping[str, tuple[object, ...]]
"""What stands behind each dotted name; a function is its code and its defaults, all else is itself."""


def snapshot() -> Parts:
    """The clocks, and all that is bound in the modules that time and judge, as far as they are imported."""
    return dict(_parts())


def replaced(before: Parts) -> str | None:
    """The first name behind which another thing stands than `before`; None if there is none."""
    now = snapshot()
    return next((name for name, part in before.items() if not _same(part, now.get(name, ()))), None)


class Watch:
    """Looks often, and so only at what is at work in a batch: what was put back in time is not found at the end.

    A clock that is replaced during a batch is not read in it (`bench.arm.timed_loop`).
    """

    def __init__(self, before: Parts) -> None:
        self._before = before
        self._learn()

    def _learn(self) -> None:
        self._names = list(_at_work())
        self._values = list(self._all())
        self._functions = [value for value in self._values if isinstance(value, FunctionType)]
        self._codes = list(map(_code_of, self._functions))

    def _all(self) -> Iterator[object]:
        return chain.from_iterable(map(_values_of, self._names))

    def replaced(self) -> str | None:
        """The first name behind which another thing stands now; None if there is none.  Takes some microseconds."""
        if (
            sum(map(len, self._names)) == len(self._values)
            and all(map(is_, self._all(), self._values))
            and all(map(is_, map(_code_of, self._functions), self._codes))
        ):
            return None
        name = replaced(self._before)
        self._learn()  # a name may have come in the way that names come
        return name


def _at_work() -> Iterator[Mapping[str, object]]:
    """The names in each of the hot modules, and in their classes."""
    for name in (time.__name__, *_HOT):
        module = sys.modules.get(name)
        if module is not None:
            yield vars(module)
            yield from (
                vars(value) for value in list(vars(module).values())
                if isinstance(value, type) and value.__module__ == name
            )  # fmt: skip


def _same(one: tuple[object, ...], other: tuple[object, ...]) -> bool:
    return len(one) == len(other) and all(a is b for a, b in zip(one, other, strict=True))


def _parts() -> Iterator[tuple[str, tuple[object, ...]]]:
    for key, value in list(vars(time).items()):
        if callable(value):  # no clock is the time zone, which many libraries look up when they are imported
            yield f"{time.__name__}.{key}", _part(value)
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
