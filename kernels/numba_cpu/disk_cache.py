"""Numba's `njit` that keeps what it compiles on disk, wherever there is a place for it.

Numba looks beside the source and in the home folder.  Where neither takes files (a read-only checkout in a container
without a home), it raises; then a folder of this user's below the temporary one is used, and memory alone where there
is none either.
"""

from __future__ import annotations

import functools
import os
import stat
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from numba import config, njit

__all__ = ["njit_cached", "why_not_compiled"]


def njit_cached(function: Callable[..., Any], signature: Any = None, **options: Any) -> Any:
    """Numba's dispatcher of `function`, compiled here for `signature`, or later for what it is called with."""
    try:
        return njit(signature, cache=True, **options)(function)
    except RuntimeError as error:
        if "no locator" not in str(error):
            raise
    place, before = _place(), config.CACHE_DIR  # type: ignore[attr-defined]  # Numba sets its variables at import
    if place is None:
        return njit(signature, **options)(function)
    config.CACHE_DIR = place  # type: ignore[attr-defined]  # for this function alone: others are not ours
    try:
        return njit(signature, cache=True, **options)(function)
    finally:
        config.CACHE_DIR = before  # type: ignore[attr-defined]  # as above


def why_not_compiled() -> str | None:
    """Why Numba compiles nothing in this process; None if it does."""
    if config.DISABLE_JIT:  # type: ignore[attr-defined]  # as above
        return "NUMBA_DISABLE_JIT turns Numba's compiler off: unset it"
    return None


@functools.cache
def _place() -> str | None:
    """A folder that nobody else can write to: what lies there is run."""
    try:
        user = os.getuid() if hasattr(os, "getuid") else 0
        folder = Path(tempfile.gettempdir(), f"relu-bench-numba-{user}")
        folder.mkdir(mode=0o700, exist_ok=True)
        found = folder.lstat()
    except OSError:
        return None
    own = stat.S_ISDIR(found.st_mode) and found.st_uid == user and not found.st_mode & 0o022
    return str(folder) if own or not hasattr(os, "getuid") else None
