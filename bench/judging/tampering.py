"""Did a backend replace a part of what judges it?

A backend shares its process with the code that times and checks it, and Python lets it replace any of that.  This finds
the plain ways; a backend that also tampers with this check cannot be detected here.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Iterable, Iterator, Mapping
from functools import cached_property
from itertools import chain, repeat
from operator import attrgetter, is_
from types import FunctionType, ModuleType

from kernels import api, correctness, networks, numbers
from kernels.gpu import card

__all__ = ["Watch", "watched"]

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
_GONE = object()
_CODE = ("__code__", "__defaults__", "__kwdefaults__")
_code_of = attrgetter(*_CODE)
_parts_of_code = tuple(map(attrgetter, _CODE))


def watched() -> list[str]:
    """The modules that time or judge an arm, as far as they are imported."""
    return [name for name in list(sys.modules) if f"{name}.".startswith(_WATCHED)]


class _Names:
    """The names in a module or a class, and what stood behind each; a name that comes later is none of them."""

    def __init__(self, owner: str, space: Mapping[str, object], kept: Mapping[str, object]) -> None:
        self._owner, self._space, self.kept = owner, space, kept
        self._whole: tuple[list[str], list[object]] = [], []
        """All of it, when it was last looked up name by name, and nothing was another thing."""

    def are_same(self) -> bool:
        """Whether the same things stand there: asked after each batch, of all at once."""
        names, things = self._whole
        if list(self._space) == names and all(map(is_, list(self._space.values()), things)):
            return True
        found = dict(self._space)
        same = all(map(is_, map(found.get, self.kept, repeat(_GONE)), self.kept.values()))
        if same:
            self._whole = list(found), list(found.values())
        return same

    def first_other(self) -> str:
        """The first behind which another thing stands, or none any more."""
        others = (key for key, kept in self.kept.items() if self._space.get(key, _GONE) is not kept)
        return f"{self._owner}.{next(others)}"


class Watch:
    """Sees whether another thing stands behind a name than before, in some modules, in their classes, among the clocks.

    A function is its code and its defaults, too, with those of what it wraps.  By default it looks at what is at work
    in a batch, after each of them: what was put back in time is not found at the end.  A clock that is replaced during
    a batch is not read in it (`bench.arm.timed_loop`).
    """

    def __init__(self, modules: Iterable[str] = _HOT) -> None:
        self._modules = {name: sys.modules[name] for name in modules if name in sys.modules}
        # no clock is the time zone, which many libraries look up when they are imported
        clocks = {key: value for key, value in vars(time).items() if callable(value)}
        self._names = [_Names(time.__name__, vars(time), clocks)]
        self._places: list[str] = []
        self._functions: list[FunctionType] = []
        self._wrappers: list[tuple[str, object, tuple[object, ...]]] = []
        for name, module in self._modules.items():
            self._learn(name, module)
        self._codes = [list(map(part, self._functions)) for part in _parts_of_code]

    def _learn(self, name: str, module: ModuleType) -> None:
        space = vars(module)
        kept = {key: value for key, value in space.copy().items() if not key.startswith("__")}
        self._names.append(_Names(name, space, kept))
        for key, value in kept.items():
            if getattr(value, "__module__", None) != name:
                continue  # a constant, or imported: looked into where it is defined
            self._look_into(f"{name}.{key}", value)
            if isinstance(value, type):
                members = vars(value).copy()
                self._names.append(_Names(f"{name}.{key}", vars(value), members))
                for inner, member in members.items():
                    self._look_into(f"{name}.{key}.{inner}", member)

    def _look_into(self, place: str, value: object) -> None:
        """Keep the code of `value` and of what it calls, one in the other, which stands there."""
        if isinstance(value, FunctionType):
            self._places.append(place)
            self._functions.append(value)
            if not vars(value):  # as most: nothing is wrapped
                return
        inside = _inside(value)
        if inside:
            self._wrappers.append((place, value, inside))
            for each in inside:
                self._look_into(place, each)

    def replaced(self) -> str | None:
        """The first name behind which another thing stands now; None if there is none."""
        return next(chain(self._other_things(), self._other_codes()), None)

    def _other_things(self) -> Iterator[str]:
        yield from (name for name, module in self._modules.items() if sys.modules.get(name) is not module)
        yield from (names.first_other() for names in self._names if not names.are_same())

    def _other_codes(self) -> Iterator[str]:
        parts = zip(_parts_of_code, self._codes, strict=True)
        if not all(all(map(is_, map(part, self._functions), kept)) for part, kept in parts):
            each = zip(self._places, self._functions, *self._codes, strict=True)
            yield from (place for place, of, *kept in each if not all(map(is_, _code_of(of), kept)))
        yield from (
            place for place, value, inside in self._wrappers if not all(map(is_, _inside(value), inside))
        )


def _inside(value: object) -> tuple[object, ...]:
    """What it calls when it is called or read, where that can be replaced."""
    if isinstance(value, property):
        return value.fget, value.fset
    if isinstance(value, cached_property):
        return (value.func,)
    inner = getattr(value, "__wrapped__", None) if callable(value) else None
    return () if inner is None else (inner,)
