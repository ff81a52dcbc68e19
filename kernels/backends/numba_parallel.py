"""The plain parallel loops that a Numba user would write: `prange` in place of `range`."""

from __future__ import annotations

from kernels.api import Case
from kernels.forks import refusal
from kernels.numba_cpu import threads
from kernels.numba_cpu.loops import PlainLoops

__all__ = ["NumbaParallel"]


class NumbaParallel(PlainLoops):
    """The loops of `kernels.numba_cpu.loops` with `prange`, on Numba's threads."""

    name = "numba_parallel"
    parallel = True

    def why_not(self, case: Case) -> str | None:
        """None on the CPU, but in a forked process."""
        if threads.forked():
            return refusal("Numba")
        return super().why_not(case)

    def set_threads(self, count: int) -> int:
        """Set Numba's thread count, at most the NUMBA_NUM_THREADS that it started with (also the default)."""
        return threads.limit(count)

    def versions(self) -> dict[str, str]:
        """The versions of Numba, llvmlite and LLVM, and the threading layer once a loop has run."""
        return {**super().versions(), "numba_threading_layer": threads.layer() or "not chosen yet"}
