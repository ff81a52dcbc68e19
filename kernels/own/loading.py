"""A function fetched from where it is: a file of Python, a module, a shared library, or this process itself."""

from __future__ import annotations

import ctypes
import importlib.util
import sys
import zlib
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType
from typing import Any

from kernels.plugins import nearest, one_line
from kernels.specs.function import CallableSpec

__all__ = ["GIVEN", "giving", "importing", "loaded", "module_at"]

GIVEN = "<given>"
"""Stands for a file where the function was handed over in this process."""
_given: dict[str, Callable[..., Any]] = {}
_importing: list[str] = []


def loaded(spec: CallableSpec) -> Callable[..., Any]:
    """The function itself.  Raises ValueError in one line: the file raises, or has no such function."""
    if spec.kind == "c":
        return _symbol(spec.path, spec.function)
    if spec.path == GIVEN:
        return _given[spec.function]
    try:
        module = module_at(spec.path) if spec.path.endswith(".py") else importlib.import_module(spec.path)
    except Exception as error:
        raise ValueError(f"importing {spec.path} raised {one_line(error)}") from error
    found = getattr(module, spec.function, None)
    if not callable(found):
        near = nearest(spec.function, (name for name, each in vars(module).items() if callable(each)))
        hint = f"; did you mean {near!r}?" if near else ""
        raise ValueError(f"{spec.path} has no function {spec.function!r}{hint}")
    return found  # type: ignore[no-any-return]  # callable, as has just been seen


@contextmanager
def giving(functions: Mapping[str, Callable[..., Any]]) -> Iterator[None]:
    """Hand functions over by name, for as long as the block lasts."""
    _given.update(functions)
    try:
        yield
    finally:
        for name in functions:
            del _given[name]


def importing() -> str | None:
    """The file that is being imported for a function of it, if one is."""
    return _importing[-1] if _importing else None


def module_at(path: str) -> ModuleType:
    """The module in that file, imported once; what lies beside it can be imported by it, as in a script.

    Raises ImportError, and whatever the file raises.
    """
    name = f"relu_bench_own_{Path(path).stem}_{zlib.crc32(path.encode()):08x}"
    if name in sys.modules:
        return sys.modules[name]
    folder = str(Path(path).parent)
    if folder not in sys.path:
        sys.path.append(folder)  # at the end: a file of NumPy's name beside it must not take NumPy's place
    found = importlib.util.spec_from_file_location(name, path)
    if found is None or found.loader is None:
        raise ImportError(f"{path} is no Python source")
    module = importlib.util.module_from_spec(found)
    sys.modules[name] = module  # where dataclasses and Numba's caches look for it
    _importing.append(path)
    try:
        found.loader.exec_module(module)
    except BaseException:
        del sys.modules[name]
        raise
    finally:
        _importing.pop()
    return module


def _symbol(path: str, name: str) -> Callable[..., Any]:
    """``void name(const float *x, float *out, size_t n)``."""
    try:
        library = ctypes.CDLL(path)
    except OSError as error:
        raise ValueError(
            f"{path} cannot be loaded here: {' '.join(str(error).split())}; compile it for this machine"
        ) from error
    try:
        function = library[name]
    except AttributeError:
        raise ValueError(
            f'{path} has no symbol {name!r}; nm -D lists those it has (of C++ an extern "C" is needed)'
        ) from None
    function.argtypes = [ctypes.c_void_p, ctypes.c_void_p, ctypes.c_size_t]
    function.restype = None
    return function
