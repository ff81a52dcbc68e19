"""Did a backend replace a part of what judges it?

A backend shares its process with the code that times and checks it, and Python lets it replace any of that.  This finds
the plain ways; a backend that also tampers with this check cannot be detected here.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import cached_property
from itertools import chain, starmap
from operator import attrgetter, is_, methodcaller
from types import FunctionType, ModuleType

from kernels import api, correctness, networks, numbers
from kernels.gpu import card

__all__ = ["Watch", "replaced", "snapshot", "watched"]

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
_code_of, _values_of = attrgetter("__code__", "__defaults__", "__kwdefaults__"), methodcaller("values")

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
    """Sees at once whether anything in some modules is another thing than before, by comparing all of it in one go.

    Only where something is, or a name has come, `replaced` is asked what, which takes many times as long.  By default
    it looks at what is at work in a batch, after each of them: what was put back in time is not found at the end.  A
    clock that is replaced during a batch is not read in it (`bench.arm.timed_loop`).
    """

    def __init__(self, before: Parts, names: Callable[[], Iterable[str]] = lambda: _HOT) -> None:
        self._before, self._names = before, names
        self._learn()

    def _learn(self) -> None:
        found = [(name, sys.modules.get(name)) for name in self._names()]
        self._modules = {name: module for name, module in found if module is not None}
        spaces = list(chain.from_iterable(starmap(_spaces, self._modules.items())))
        self._spaces = [vars(time), *(space for _, space in spaces)]
        self._values = list(self._all())
        inside = [each for owner, space in spaces for value in _own(owner, space) for each in _inside(value)]
        self._functions = [each for each in inside if isinstance(each, FunctionType)]
        self._codes = list(self._all_codes())
        self._around = [(each, _next_inside(each)) for each in inside]

    def _all(self) -> Iterator[object]:
        return chain.from_iterable(map(_values_of, self._spaces))

    def _all_codes(self) -> Iterator[object]:
        return chain.from_iterable(map(_code_of, self._functions))

    def replaced(self) -> str | None:
        """The first name behind which another thing stands now; None if there is none."""
        if (
            all(sys.modules.get(name) is module for name, module in self._modules.items())
            and sum(map(len, self._spaces)) == len(self._values)
            and all(map(is_, self._all(), self._values))
            and all(map(is_, self._all_codes(), self._codes))
            and all(_next_inside(each) is kept for each, kept in self._around)
        ):
            return None
        name = replaced(self._before)
        if name is None:
            self._learn()  # a name may have come in the way that names come
        return name


def watched() -> list[str]:
    """The modules that time or judge an arm, as far as they are imported."""
    return [name for name in list(sys.modules) if f"{name}.".startswith(_WATCHED)]


Space = Mapping[str, object]


def _spaces(name: str, module: ModuleType) -> Iterator[tuple[str, Space]]:
    """The names of a module, with its own, and of each of its classes, with none: all that stands there is theirs."""
    yield name, vars(module)
    for value in list(vars(module).values()):
        if isinstance(value, type) and value.__module__ == name:
            yield "", vars(value)


def _own(owner: str, space: Space) -> Iterator[object]:
    """What is defined there and not imported."""
    for value in list(space.values()):
        if not owner or getattr(value, "__module__", None) == owner:
            yield value


def _inside(value: object) -> Iterator[object]:
    """`value` and what it calls, one in the other, where its code can be replaced."""
    if isinstance(value, property):
        yield from chain.from_iterable(map(_inside, (value.fget, value.fset)))
        return
    inner = _next_inside(value)
    if inner is not None or isinstance(value, FunctionType):
        yield value
    if inner is not None:
        yield from _inside(inner)


def _next_inside(value: object) -> object:
    """What it wraps; None where it wraps nothing."""
    if isinstance(value, cached_property):
        return value.func
    return getattr(value, "__wrapped__", None) if callable(value) else None


def _same(one: tuple[object, ...], other: tuple[object, ...]) -> bool:
    return len(one) == len(other) and all(a is b for a, b in zip(one, other, strict=True))


def _parts() -> Iterator[tuple[str, tuple[object, ...]]]:
    for key, value in list(vars(time).items()):
        if callable(value):  # no clock is the time zone, which many libraries look up when they are imported
            yield f"{time.__name__}.{key}", _part(value)
    for name in watched():
        yield from _of_module(name, sys.modules[name])


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
