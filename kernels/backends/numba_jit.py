"""The plain serial loops that a Numba user would write."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numba import njit

from kernels.api import Case
from kernels.numba_cpu.bind import CacheWatch, bind_loop, library_versions
from kernels.numba_cpu.elements import leaky, leaky_grad, rectify, rectify_grad

__all__ = ["NumbaJit"]

Array = np.ndarray[Any, Any]
_jit = njit(cache=True, nogil=True, error_model="numpy")


class NumbaJit:
    """One loop a kernel, compiled for the dtype and the layout; serial; cached on disk."""

    name = "numba_jit"
    distribution = "numba"
    alignment = 1

    def __init__(self) -> None:
        self._watch = CacheWatch()

    def why_not(self, case: Case) -> str | None:
        """None on the CPU."""
        return None if case.device == "cpu" else f"numba_jit runs on the CPU only; device is {case.device!r}"

    def set_threads(self, count: int) -> int:
        """1, always: the loops are serial."""
        return 1

    def adopt(self, host: Array, case: Case) -> Array:
        """`host` itself."""
        return host

    def bind(self, case: Case, x: Array, dy: Array | None, out: Array | None) -> Callable[[], Array]:
        """As `compile`, without the first execution."""
        return bind_loop(_LOOPS[case.op, case.direction], case, x, dy, out)

    def compile(self, case: Case, x: Array, dy: Array | None, out: Array | None) -> Callable[[], Array]:
        """JIT, or fetch from the on-disk cache, and run once, on the arrays themselves."""
        call = self.bind(case, x, dy, out)
        self._watch.first_call(_LOOPS[case.op, case.direction], call)
        return call

    def compile_report(self) -> dict[str, int | bool]:
        """Whether the last loop that had to be compiled came from the on-disk cache."""
        return {"cache_hit": self._watch.cache_hit}

    def sync(self, result: Array) -> None:
        """Nothing to wait for."""

    def to_numpy(self, result: Array) -> Array:
        """`result` itself."""
        return result

    def versions(self) -> dict[str, str]:
        """The versions of Numba, llvmlite and LLVM."""
        return library_versions()


# Numba drops the branch that does not fit the number of dimensions.


@_jit
def _relu(x: Array, out: Array) -> None:
    if x.ndim == 1:
        for i in range(x.size):
            out[i] = rectify(x[i])
    else:
        for i in range(x.shape[0]):
            for j in range(x.shape[1]):
                out[i, j] = rectify(x[i, j])


@_jit
def _leaky_relu(x: Array, out: Array, slope: Any) -> None:
    if x.ndim == 1:
        for i in range(x.size):
            out[i] = leaky(x[i], slope)
    else:
        for i in range(x.shape[0]):
            for j in range(x.shape[1]):
                out[i, j] = leaky(x[i, j], slope)


@_jit
def _relu_backward(x: Array, dy: Array, out: Array) -> None:
    if x.ndim == 1:
        for i in range(x.size):
            out[i] = rectify_grad(dy[i], x[i])
    else:
        for i in range(x.shape[0]):
            for j in range(x.shape[1]):
                out[i, j] = rectify_grad(dy[i, j], x[i, j])


@_jit
def _leaky_relu_backward(x: Array, dy: Array, out: Array, slope: Any) -> None:
    if x.ndim == 1:
        for i in range(x.size):
            out[i] = leaky_grad(dy[i], x[i], slope)
    else:
        for i in range(x.shape[0]):
            for j in range(x.shape[1]):
                out[i, j] = leaky_grad(dy[i, j], x[i, j], slope)


_LOOPS: dict[tuple[str, str], Any] = {
    ("relu", "forward"): _relu,
    ("relu", "backward"): _relu_backward,
    ("leaky_relu", "forward"): _leaky_relu,
    ("leaky_relu", "backward"): _leaky_relu_backward,
}
