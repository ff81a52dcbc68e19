"""A function fetched from the file that it is in: Python source, or a shared library."""

from __future__ import annotations

import ctypes
import importlib.util
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

from kernels.callable_spec import CallableSpec
from kernels.plugins import nearest, one_line

__all__ = ["loaded", "module_at"]


def loaded(spec: CallableSpec) -> Callable[..., Any]:
    """The function itself.  Raises ValueError in one line: the file raises, or has no such function."""
    if spec.kind == "c":
        return _symbol(spec.path, spec.function)
    try:
        module = module_at(spec.path)
    except Exception as error:
        raise ValueError(f"importing {spec.path} raised {one_line(error)}") from error
    found = getattr(module, spec.function, None)
    if not callable(found):
        near = nearest(spec.function, (name for name, each in vars(module).items() if callable(each)))
        hint = f"; did you mean {near!r}?" if near else ""
        raise ValueError(f"{spec.path} has no function {spec.function!r}{hint}")
    return found  # type: ignore[no-any-return]  # callable, as has just been seen


def module_at(path: str) -> ModuleType:
    """The module in that file, imported now; what lies beside it can be imported by it, as in a script."""
    folder, name = str(Path(path).parent), f"relu_bench_callable_{Path(path).stem}"
    if folder not in sys.path:
        sys.path.append(folder)  # at the end: a file of NumPy's name beside it must not take NumPy's place
    found = importlib.util.spec_from_file_location(name, path)
    if found is None or found.loader is None:
        raise ImportError(f"{path} is no Python source")
    module = importlib.util.module_from_spec(found)
    sys.modules[name] = module  # where dataclasses and Numba's caches look for it
    found.loader.exec_module(module)
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
