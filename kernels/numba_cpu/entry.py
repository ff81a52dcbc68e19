"""Compile a function under a name of its own, and call it past Numba's dispatch on types.

Numba's on-disk cache keeps one index file for each name: two processes that compile different functions
under one name can overwrite each other's code.  And it looks only at the file with the function itself,
so a name should end in a `digest` of the other files that the machine code depends on.
"""

from __future__ import annotations

import functools
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from numba import types

from kernels.numba_cpu import threads
from kernels.numba_cpu.disk_cache import njit_cached

__all__ = ["Entry", "address_of", "digest", "entry_of", "jit", "locator"]

Entry = Callable[..., Any]
"""A compiled function that takes positional arguments of exactly its types."""


def digest(*sources: Any) -> str:
    """Eight hex digits that change with the source of modules, or of files."""
    files = [source if isinstance(source, Path) else Path(source.__file__) for source in sources]
    return f"{zlib.crc32(b''.join(file.read_bytes() for file in files)):08x}"


def jit(
    function: Callable[..., Any], name: str, signature: Any = None, *, parallel: bool = False, **options: Any
) -> Any:
    """Numba's dispatcher of `function`, under a `name` of its own, which keeps what it compiles on disk.

    Compiled here for `signature`; without one, at a call, for the types that it comes with.
    """
    function.__name__ = function.__qualname__ = name
    if parallel:
        threads.start()
    return njit_cached(function, signature, nogil=True, parallel=parallel, error_model="numpy", **options)


def entry_of(dispatcher: Any) -> Entry:
    """The compiled function itself: positional arguments of exactly its types, no dispatch."""
    (overload,) = dispatcher.overloads.values()
    entry: Entry = overload.entry_point
    return entry


def address_of(array: np.ndarray[Any, Any]) -> int:
    """The address of an array's first element; NumPy's own attributes take longer."""
    return locator(array.ndim, array.itemsize)(array)


@functools.cache
def locator(ndim: int, itemsize: int) -> Callable[[np.ndarray[Any, Any]], int]:
    """`address_of` for arrays of exactly that many dimensions and bytes an element: others crash."""

    def address(array):  # type: ignore[no-untyped-def]  # typed by the signature
        return array.ctypes.data

    kind = types.Array(getattr(types, f"uint{8 * itemsize}"), ndim, "A")
    return entry_of(jit(address, f"address_{ndim}_{itemsize}", types.intp(kind)))
