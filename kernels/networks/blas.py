"""How many threads NumPy's BLAS uses, under the networks of NumPy and of Numba: threadpoolctl sets and reads it.

threadpoolctl is imported only where a network is measured.  Without it BLAS keeps the count that it started with.
"""

from __future__ import annotations

import functools
import importlib.util
import os
from typing import Any

__all__ = ["set_threads", "why_not_threads"]


def set_threads(count: int) -> int:
    """Give BLAS `count` threads (0: as many as it started with); return the count in effect.

    Small products use one, whatever the count.
    """
    libraries = _libraries()
    for library, default in libraries:
        library.set_num_threads(count or default)
    return max((int(library.get_num_threads()) for library, _ in libraries), default=_assumed())


def why_not_threads(count: int) -> str | None:
    """None for the default (0), or where the count of BLAS can be set."""
    if count == 0 or _libraries():
        return None
    instead = f"leave --threads out, or use --variant t{count}:OPENBLAS_NUM_THREADS={count}"
    if importlib.util.find_spec("threadpoolctl") is None:
        return f"threadpoolctl sets the threads of NumPy's BLAS: pip install threadpoolctl; without it, {instead}"
    return f"threadpoolctl does not know the BLAS of this NumPy (numpy.show_config() names it); {instead}"


@functools.cache
def _libraries() -> tuple[tuple[Any, int], ...]:
    """The BLAS libraries of this process, each with the count that it started with; none without threadpoolctl."""
    try:
        # Imported here, as everything but --threads does without it; it carries no type hints.
        from threadpoolctl import ThreadpoolController  # type: ignore[import-untyped]  # noqa: PLC0415
    except ImportError:
        return ()
    found = ThreadpoolController().select(user_api="blas").lib_controllers
    return tuple((library, int(library.get_num_threads())) for library in found)


def _assumed() -> int:
    """What OpenBLAS starts with: OPENBLAS_NUM_THREADS or OMP_NUM_THREADS, at most and by default one for each CPU."""
    wanted = os.environ.get("OPENBLAS_NUM_THREADS") or os.environ.get("OMP_NUM_THREADS") or ""
    cpus = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return min(int(wanted), cpus) if wanted.isdecimal() and int(wanted) else cpus
