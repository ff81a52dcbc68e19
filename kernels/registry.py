"""Which backends there are, by name, without importing any of them until one is asked for.

Frameworks take seconds to import, set process-wide state, and may be missing or broken.  So the built-ins are a
table of strings, and only `load` imports.  Built-ins, entry points of the group ``relu_bench.backends`` and
plugins given as ``MODULE:CLASS`` all take that same path.
"""

from __future__ import annotations

import importlib.util
import os
from collections.abc import Iterable
from dataclasses import dataclass

from kernels.api import Backend, Case
from kernels.plugins import (
    NAME,
    NAME_RULE,
    entry_points_of,
    instantiate,
    name_in_subprocess,
    nearest,
    one_line,
    split_spec,
)

__all__ = [
    "BUILTINS",
    "ENTRY_POINT_GROUP",
    "BrokenBackendError",
    "Builtin",
    "MissingBackendError",
    "UnknownBackendError",
    "available",
    "devices",
    "forget",
    "is_installed",
    "is_usual",
    "load",
    "mend",
    "names",
    "plugin_name",
    "register",
    "register_all",
    "spec_of",
]

ENTRY_POINT_GROUP = "relu_bench.backends"


@dataclass(frozen=True, slots=True)
class Builtin:
    """Where a built-in lives, what ``pip install`` calls its framework, and what ``import`` calls it."""

    spec: str
    distribution: str
    top: str
    devices: tuple[str, ...] = ("cpu",)
    on_request: bool = False
    """Whether it is measured only where it is named."""


_BOTH, _CUDA = ("cpu", "cuda"), ("cuda",)
_HERE = f"{__package__}.backends"

BUILTINS: dict[str, Builtin] = {
    "numpy_ufunc": Builtin(f"{_HERE}.numpy_ufunc:NumpyUfunc", "numpy", "numpy"),
    "numba_jit": Builtin(f"{_HERE}.numba_jit:NumbaJit", "numba", "numba"),
    "numba_parallel": Builtin(f"{_HERE}.numba_parallel:NumbaParallel", "numba", "numba"),
    "numba_tuned": Builtin(f"{_HERE}.numba_tuned:NumbaTuned", "numba", "numba"),
    "jax_jit": Builtin(f"{_HERE}.jax_jit:JaxJit", "jax", "jax", _BOTH),
    "torch_eager": Builtin(f"{_HERE}.torch_eager:TorchEager", "torch", "torch", _BOTH),
    "torch_compile": Builtin(f"{_HERE}.torch_compile:TorchCompile", "torch", "torch", _BOTH),
    "torch_graph": Builtin(f"{_HERE}.torch_graph:TorchGraph", "torch", "torch", _CUDA),
    "numba_cuda": Builtin(f"{_HERE}.numba_cuda:NumbaCuda", "numba", "numba", _CUDA),
    "triton_jit": Builtin(f"{_HERE}.triton_jit:TritonJit", "triton", "triton", _CUDA),
    "jax_sharded": Builtin(f"{_HERE}.jax_sharded:JaxSharded", "jax", "jax", on_request=True),
}

_PREFIXES: dict[str, tuple[str, ...]] = {
    "numpy": ("NPY_",),
    "numba": ("NUMBA_",),
    "jax": ("JAX_",),
    "torch": ("TORCH", "PYTORCH_"),
    "triton": ("TRITON_",),
}
"""How the variables begin that change what a framework does, by what ``import`` calls it."""

_plugins: dict[str, str] = {}
_loaded: dict[str, Backend] = {}


class UnknownBackendError(ValueError):
    """No backend of that name; the message lists those there are and the nearest."""


class MissingBackendError(ImportError):
    """The backend's framework, or another that it needs, is not installed; the message says how to install it."""


class BrokenBackendError(ImportError):
    """The backend is installed but cannot be imported or built; the message says what it raised."""


def names() -> list[str]:
    """Every backend's name: built-ins, then entry points, then registered plugins.  Imports none.

    Raises ValueError, naming both specs, if two different backends share a name.
    """
    return list(_table())


def spec_of(name: str) -> str:
    """The ``MODULE:CLASS`` that `name` stands for.  Raises UnknownBackendError."""
    builtin = BUILTINS.get(name)
    if (
        builtin and name not in _plugins
    ):  # what is installed is not read through: each arm's process asks this
        return builtin.spec
    table = _table()
    if name not in table:
        near = nearest(str(name), table)
        hint = f"did you mean {near!r}? " if near else ""
        raise UnknownBackendError(f"no backend is called {name!r}; {hint}allowed: {', '.join(table)}")
    return table[name]


def devices(name: str) -> tuple[str, ...]:
    """The kinds of device that a backend is made for; a plugin says so only in its `why_not`."""
    spec_of(name)
    builtin = BUILTINS.get(name)
    return builtin.devices if builtin else ("cpu",)


def is_usual(name: str) -> bool:
    """Whether a backend is measured where none is named; a plugin always is."""
    builtin = BUILTINS.get(name)
    return builtin is None or not builtin.on_request


def is_installed(name: str) -> bool:
    """Whether the framework of a built-in is there; whether it works only `load` tells.  Of a plugin: True."""
    builtin = BUILTINS.get(name)
    return builtin is None or _found(builtin.top)


def register(spec: str, name: str | None = None) -> str:
    """Add the plugin ``MODULE:CLASS`` and return its backend's name.

    `name` spares the subprocess that `plugin_name` needs, where the name is known already; `load`
    holds the plugin to it.  Raises ValueError for a bad plugin and for a name that another spec has.
    """
    name = plugin_name(spec) if name is None else name
    table = _table()
    _add(table, name, spec)
    if name not in BUILTINS:
        _plugins[name] = spec
    return name


def register_all(specs: Iterable[str]) -> dict[str, str]:
    """`register` each plugin; their names with the specs.  Raises ValueError as `register`."""
    return {register(spec): spec for spec in specs}


def forget(names: Iterable[str]) -> None:
    """Those plugins are no more; their names are free."""
    for name in names:
        _plugins.pop(name, None)
        _loaded.pop(name, None)


def plugin_name(spec: str) -> str:
    """The name of the backend at ``MODULE:CLASS``, found without importing it into this process.

    A Python of its own, with this one's ``sys.path``, imports, instantiates and checks it.
    Raises ValueError in one line: no such module or class, an import that raises, not a Backend.
    """
    split_spec(spec)
    for name, builtin in BUILTINS.items():
        if builtin.spec == spec:
            return name
    return name_in_subprocess(spec)


def load(name: str) -> Backend:
    """The backend called `name`, imported now if it was not yet; always the same instance.

    Raises UnknownBackendError, MissingBackendError (not installed) or BrokenBackendError
    (installed, but importing or building it raises), each with what to do.
    """
    if name in _loaded:
        return _loaded[name]
    spec = spec_of(name)
    builtin = BUILTINS.get(name)
    if builtin and not is_installed(name):
        raise MissingBackendError(
            f"{name} is not installed: pip install '{builtin.distribution}'", name=builtin.top
        )
    try:
        backend = instantiate(spec)
    except Exception as error:  # whatever a framework raises when imported: the caller goes on without it
        lacking = _lacking(name, error)
        if lacking is not None:
            raise MissingBackendError(lacking, name=name) from error
        raise BrokenBackendError(
            f"{name} is installed but broken: {one_line(error)}; mend it: {mend(name, error)}", name=name
        ) from error
    if backend.name != name:
        raise BrokenBackendError(
            f"{spec} is registered as {name!r}, but its .name is {backend.name!r}; make them equal", name=name
        )
    _loaded[name] = backend
    return backend


def _lacking(name: str, error: BaseException) -> str | None:
    """What a backend needs of another framework that is not installed; None where `error` says something else."""
    if isinstance(error, MissingBackendError):  # a plugin's, which is made of another backend
        return f"{name} needs another backend: {error}"
    needs = error.name if isinstance(error, ModuleNotFoundError) else None
    for builtin in BUILTINS.values():
        if builtin.top == needs:
            return f"{name} needs {needs}, which is not installed: pip install '{builtin.distribution}'"
    return None


def mend(name: str, error: BaseException | None = None) -> str:
    """What to try first where the backend called `name` is broken, and raised `error`.

    A file that cannot be written, or a variable that is set, is named; reinstalling is for what was installed badly.
    """
    builtin = BUILTINS.get(name)
    prefixes = _PREFIXES[builtin.top] if builtin else ()
    found = {key: value for key, value in sorted(os.environ.items()) if key.startswith(prefixes)}
    if isinstance(error, OSError) and error.filename:
        naming = [key for key, value in found.items() if value and str(error.filename).startswith(value)]
        place = f"set {naming[0]} to another place" if naming else "set the variable that names another place"
        return f"see that {error.filename} can be used, or {place}"
    if builtin is None:
        return f"mend the plugin {spec_of(name)}"
    if found and not isinstance(error, ImportError | OSError):
        said = " ".join(f"{key}={value}" for key, value in found.items())
        return f"unset {' '.join(found)} (set here: {said})"
    return f"pip install --force-reinstall --no-cache-dir {builtin.distribution}"


def available() -> dict[str, str | None]:
    """Each backend's name with None, or with the reason why it cannot run relu on its first device.

    Imports every backend.
    """
    return {name: _why_not(name) for name in names()}


def _table() -> dict[str, str]:
    table = {name: builtin.spec for name, builtin in BUILTINS.items()}
    for name, value in entry_points_of(ENTRY_POINT_GROUP):
        if not NAME.fullmatch(name):
            raise ValueError(f"the entry point {name!r} = {value!r} names no backend: {NAME_RULE}")
        _add(table, name, value.replace(" ", ""))
    for name, spec in _plugins.items():
        _add(table, name, spec)
    return table


def _add(table: dict[str, str], name: str, spec: str) -> None:
    if table.setdefault(name, spec) != spec:
        raise ValueError(
            f"two backends are called {name!r}: {table[name]} and {spec}; rename or uninstall one of them"
        )


def _found(top: str) -> bool:
    try:
        return importlib.util.find_spec(top) is not None
    except ValueError:  # imported already, by something that left no __spec__
        return True


def _why_not(name: str) -> str | None:
    try:
        return load(name).why_not(Case("relu", device=devices(name)[0]))
    except Exception as error:  # noqa: BLE001  an answer about one backend must not hide the others
        return str(error) if isinstance(error, ImportError | ValueError) else one_line(error)
