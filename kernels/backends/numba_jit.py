"""The plain serial loops that a Numba user would write."""

from __future__ import annotations

from kernels.numba_cpu.loops import PlainLoops

__all__ = ["NumbaJit"]


class NumbaJit(PlainLoops):
    """The loops of `kernels.numba_cpu.loops` with `range`."""

    name = "numba_jit"
    parallel = False

    def set_threads(self, count: int) -> int:
        """1, always: the loops are serial."""
        return 1
