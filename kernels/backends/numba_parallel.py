"""The plain parallel loops that a Numba user would write: `prange` in place of `range`."""

from __future__ import annotations

from numba import get_num_threads, set_num_threads
from numba.core import config
from numba.np.ufunc.parallel import threading_layer

from kernels.numba_cpu.loops import PlainLoops

__all__ = ["NumbaParallel"]


class NumbaParallel(PlainLoops):
    """The loops of `kernels.numba_cpu.loops` with `prange`, on Numba's threads."""

    name = "numba_parallel"
    parallel = True

    def set_threads(self, count: int) -> int:
        """Set Numba's thread count, at most the NUMBA_NUM_THREADS that it started with (also the default)."""
        most = int(config.NUMBA_NUM_THREADS)  # type: ignore[attr-defined]  # set at import, unseen by mypy
        set_num_threads(min(count, most) if count else most)
        return int(get_num_threads())

    def versions(self) -> dict[str, str]:
        """The versions of Numba, llvmlite and LLVM, and the threading layer once a loop has run."""
        return {**super().versions(), "numba_threading_layer": _layer()}


def _layer() -> str:
    try:
        return str(threading_layer())  # type: ignore[no-untyped-call]  # Numba types little
    except ValueError:
        return "not chosen yet"
