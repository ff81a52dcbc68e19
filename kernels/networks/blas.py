"""NumPy's BLAS: the same under the networks of NumPy and of Numba, and neither can tell it how many threads to use."""

from __future__ import annotations

import os

__all__ = ["threads", "why_not_threads"]

_STARTED_WITH = os.environ.get("OPENBLAS_NUM_THREADS") or os.environ.get("OMP_NUM_THREADS") or ""


def threads() -> int:
    """What BLAS started with: OPENBLAS_NUM_THREADS, or one for each CPU; small products use one."""
    cpus = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return min(int(_STARTED_WITH), cpus) if _STARTED_WITH.isdecimal() and int(_STARTED_WITH) else cpus


def why_not_threads(count: int) -> str | None:
    """None for the default (0); anything else has to be said before BLAS is loaded."""
    if count == 0:
        return None
    return (
        "NumPy's BLAS counts its threads when it is loaded; leave --threads out, or use "
        f"--variant t{count}:OPENBLAS_NUM_THREADS={count}"
    )
