"""From ``MODULE:CLASS``, or a user's function, to a checked backend, in this process or in one of its own.

A subprocess finds the name, so no framework is imported here.
"""

from __future__ import annotations

import difflib
import functools
import importlib
import os
import re
import sys
from collections.abc import Iterable

from kernels.api import Backend
from kernels.specs.asking import replies, reply
from kernels.specs.function import is_callable_spec

__all__ = [
    "NAME",
    "NAME_RULE",
    "answer",
    "entry_points_of",
    "instantiate",
    "name_in_subprocess",
    "nearest",
    "one_line",
    "split_spec",
]

NAME_RULE = (
    "a name is a str of up to 64 letters, digits, '_', '.' and '-', and begins with none of the last two"
)
_MEMBERS = ("why_not", "set_threads", "adopt", "compile", "sync", "to_numpy", "versions")
NAME = re.compile(r"\w[\w.-]{0,63}")
"""What a backend may be called: it stands in options, files and tables."""
_LONGEST = 100_000
"""Characters of an error that are looked at."""
_MOST_SAID = 500
"""Of those that are passed on."""


def entry_points_of(group: str) -> tuple[tuple[str, str], ...]:
    """Name and value of each entry point of that group that is installed where this process imports from."""
    return _entry_points(group, tuple((place, _changed(place)) for place in sys.path))


@functools.lru_cache(maxsize=1)
def _entry_points(group: str, places: tuple[tuple[str, int], ...]) -> tuple[tuple[str, str], ...]:
    """Looks into every distribution, which takes long: once, until a package comes or goes in one of the `places`."""
    from importlib.metadata import entry_points  # noqa: PLC0415  # it brings half of the standard library

    return tuple((point.name, point.value) for point in entry_points(group=group))


def _changed(place: str) -> int:
    """When something came or went there; 0 where nothing is."""
    try:
        return os.stat(place or os.curdir).st_mtime_ns  # noqa: PTH116  # as `sys.path` has it
    except OSError:
        return 0


def split_spec(spec: str) -> tuple[str, str]:
    """The module and the class of ``MODULE:CLASS``.  Raises ValueError."""
    module, colon, class_name = spec.partition(":") if isinstance(spec, str) else ("", "", "")
    if not colon or not all(part.isidentifier() for part in [*module.split("."), class_name]):
        raise ValueError(f"{spec!r} is not MODULE:CLASS, as in mypackage.kernels:MyRelu")
    return module, class_name


def nearest(name: str, allowed: Iterable[str]) -> str | None:
    """The one of `allowed` that may have been meant, None where none is like `name`; ``torch`` begins torch_eager."""
    choices = list(allowed)
    begun = [choice for choice in choices if name and choice.startswith(f"{name}_")]
    found = begun or difflib.get_close_matches(name, choices, n=1)
    return found[0] if found else None


def instantiate(spec: str) -> Backend:
    """Import ``MODULE:CLASS``, build it without arguments, and check that it is a `Backend`.

    Or adopt the function of a whole `kernels.specs.function.CallableSpec`.  Raises ValueError where the spec, the
    class, its methods or its name are wrong, and whatever importing and building it raises.
    """
    backend = _adopted(spec) if is_callable_spec(spec) else _made(spec)
    missing = [member for member in _MEMBERS if not callable(getattr(backend, member, None))]
    if missing:
        raise ValueError(
            f"{spec} is no Backend: it lacks the method {', '.join(missing)}; see kernels/api.py"
        )
    name = getattr(backend, "name", None)
    if type(name) is not str or not NAME.fullmatch(name):
        raise ValueError(f"{spec} has the name {repr(name)[:80]}; {NAME_RULE}")
    return backend


def _made(spec: str) -> Backend:
    module_name, class_name = split_spec(spec)
    module = importlib.import_module(module_name)
    made = getattr(module, class_name, None)
    if not isinstance(made, type):
        near = nearest(class_name, vars(module))
        hint = f"; did you mean {near!r}?" if near else ""
        raise ValueError(f"{module_name} has no class {class_name!r}{hint}")
    backend: Backend = made()
    return backend


def _adopted(spec: str) -> Backend:
    backend: Backend = importlib.import_module(f"{__package__}.own").adopted(spec)
    return backend


def name_in_subprocess(spec: str) -> str:
    """The `.name` of the backend at ``MODULE:CLASS``.  Raises ValueError in one line."""
    what = f"plugin {spec}"
    verdict = replies(__name__, (spec,), what=what)[-1]
    error, name = (
        (verdict.get(key) for key in ("error", "name")) if isinstance(verdict, dict) else (None, None)
    )
    if isinstance(error, str):
        raise ValueError(f"{what}: {error[:_MOST_SAID]}")
    if isinstance(name, str) and NAME.fullmatch(name):
        return name
    raise ValueError(f"{what}: importing it gave no name but {repr(verdict)[:80]}")


def answer(spec: str) -> None:
    """Reply with the name, or why there is none.  Runs in the process that `name_in_subprocess` starts."""
    try:
        verdict = {"name": instantiate(spec).name}
    except ModuleNotFoundError as error:
        verdict = {"error": f"no module named {error.name!r}; install it, or add its folder to PYTHONPATH"}
    except ValueError as error:
        verdict = {"error": " ".join(str(error)[:_LONGEST].split())[:_MOST_SAID]}
    except BaseException as error:  # noqa: BLE001  a plugin may raise anything; it is passed on, not hidden
        verdict = {"error": one_line(error)}
    reply(verdict)


def one_line(error: BaseException) -> str:
    """The error's type and message on one line; of a compiler that failed, what it said and not how it was called."""
    try:
        text = str(error)[:_LONGEST]
    except BaseException as another:  # noqa: BLE001  an error of a plugin's own may not even have a text
        text = f"its text raises {type(another).__name__}"
    kind, _, called = text.partition("Command:")
    _, output, said = called.partition("Output:")
    if (
        kind.strip() and output
    ):  # a compiler failed that torch's Inductor had called, with thousands of characters
        lines = [line for line in said.splitlines() if line.strip()]
        what = next((line for line in lines if "error" in line.lower()), " ".join(lines[:1]))
        text = f"{kind.strip().splitlines()[-1]}: {what}"
    return " ".join(f"{type(error).__name__}: {text}".split())
