"""NumPy ufuncs (in `kernels.ops`), as someone who knows NumPy well would write it.

Gradients select by integer arithmetic on the bits of the floats: with random signs, ``np.where`` and
``np.copyto(..., where=)`` mispredict a branch at every second element, and
``dy * (x > 0)`` turns an infinite dy into NaN.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from kernels.api import Case
from kernels.ops import Call, op_of, why_not
from kernels.ops.formula import target_of
from kernels.ops.learnt import keeping

__all__ = ["NumpyUfunc"]

Array = np.ndarray[Any, Any]


class NumpyUfunc:
    """A few ufunc calls; serial; every dtype, placement and layout."""

    name = "numpy_ufunc"
    distribution = "numpy"
    alignment = 1

    def why_not(self, case: Case) -> str | None:
        """None on the CPU, for an op with an expression in NumPy."""
        if case.device != "cpu":
            return f"NumPy runs on the CPU only; device is {case.device!r}"
        return why_not("numpy", case.op, case.direction, case.placement)

    def set_threads(self, count: int) -> int:
        """1, always: NumPy's ufuncs are serial."""
        return 1

    def adopt(self, host: Array, case: Case) -> Array:
        """`host` itself."""
        return host

    def bind(self, case: Case, x: Any, dy: Array | None, out: Array | None) -> Call:
        """As `compile`, without the first execution."""
        op, values = op_of(case.op), case.values
        target = target_of(case.placement, x, dy, out)
        call = op.numpy_forward(x, target, values) if dy is None else op.numpy_backward(x, dy, target, values)
        return keeping(case, _quiet(call) if _may_warn(case) else call)

    def compile(self, case: Case, x: Any, dy: Array | None, out: Array | None) -> Call:
        """Allocate scratch (placements out and inplace) and run once, on the arrays themselves."""
        call = self.bind(case, x, dy, out)
        with np.errstate(all="ignore"):
            call()
        return call

    def sync(self, result: Array) -> None:
        """Nothing to wait for."""

    def to_numpy(self, result: Array) -> Array:
        """`result` itself."""
        return result

    def versions(self) -> dict[str, str]:
        """NumPy's version."""
        return {"numpy": np.__version__}


def _may_warn(case: Case) -> bool:
    """Whether numbers, infinities or quiet NaNs could make NumPy warn.

    Only then is each call silenced, which costs time; signalling NaNs are left to the caller.
    """
    return case.itemsize == 2 or case.two_results or op_of(case.op).numpy_may_warn(case.values)


def _quiet(call: Call) -> Call:
    errstate = np.errstate

    def quiet() -> Array:
        with errstate(all="ignore"):
            return call()

    return quiet
