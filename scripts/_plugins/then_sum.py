"""A kernel whose result is read at once: what streaming stores cost the next in line.

A streaming store leaves nothing in the cache.  `ThenSum` is another backend (``RELU_BENCH_SUM_BASE``,
numba_tuned by default) whose call sums its result before it returns; the sum is the same code for every
base, NumPy's on one thread, so that only the kernel makes a difference.  The gate judges the result itself.
The variable is read when the arm's process starts.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

import numpy as np

from kernels.api import Case
from kernels.own.delegate import Delegate

__all__ = ["BASE", "PLUGIN", "ThenSum"]

BASE = "RELU_BENCH_SUM_BASE"
PLUGIN = {"then_sum": f"{__name__}:ThenSum"}


class ThenSum(Delegate):
    """The base backend, then a sum of what it made."""

    name = "then_sum"

    def __init__(self) -> None:
        super().__init__(os.environ.get(BASE, "numba_tuned"))
        self.total: Any = None
        """The last sum."""

    def why_not(self, case: Case) -> str | None:
        """The base's reason; NumPy has no fast sum of 16-bit floats."""
        if case.itemsize == 2:
            return f"NumPy sums {case.dtype} element by element; use float32 or float64"
        return super().why_not(case)

    def compile(self, case: Case, x: Any, dy: Any, out: Any) -> Callable[[], Any]:
        """The base's call, waited for, and the sum."""
        call, sync, to_numpy = self._base.compile(case, x, dy, out), self._base.sync, self._base.to_numpy

        def summed() -> Any:
            result = call()
            sync(result)
            with np.errstate(all="ignore"):  # the gate's inputs hold infinities
                self.total = to_numpy(result).sum()
            return result

        return summed

    def sync(self, result: Any) -> None:
        """Nothing is left to wait for."""

    def versions(self) -> dict[str, str]:
        """The base's, and NumPy's, which sums."""
        return {**super().versions(), "numpy": np.__version__}
