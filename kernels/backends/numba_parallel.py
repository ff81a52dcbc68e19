"""The plain parallel loops that a Numba user would write: `prange` in place of `range`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numba import get_num_threads, njit, prange, set_num_threads
from numba.core import config
from numba.np.ufunc.parallel import threading_layer

from kernels.api import Case
from kernels.numba_cpu.bind import CacheWatch, bind_loop, library_versions
from kernels.numba_cpu.elements import leaky, leaky_grad, rectify, rectify_grad

__all__ = ["NumbaParallel"]

Array = np.ndarray[Any, Any]
_jit = njit(parallel=True, cache=True, nogil=True, error_model="numpy")


class NumbaParallel:
    """One loop a kernel, compiled for the dtype and the layout; on Numba's threads; cached on disk."""

    name = "numba_parallel"
    distribution = "numba"
    alignment = 1

    def __init__(self) -> None:
        self._watch = CacheWatch()

    def why_not(self, case: Case) -> str | None:
        """None on the CPU."""
        return (
            None
            if case.device == "cpu"
            else f"numba_parallel runs on the CPU only; device is {case.device!r}"
        )

    def set_threads(self, count: int) -> int:
        """Set Numba's thread count, at most the NUMBA_NUM_THREADS that it started with (also the default)."""
        most = int(config.NUMBA_NUM_THREADS)  # type: ignore[attr-defined]  # set at import, unseen by mypy
        set_num_threads(min(count, most) if count else most)
        return int(get_num_threads())

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
        """The versions of Numba, llvmlite and LLVM, and the threading layer once a loop has run."""
        return {**library_versions(), "numba_threading_layer": _layer()}


def _layer() -> str:
    try:
        return str(threading_layer())  # type: ignore[no-untyped-call]  # Numba types little
    except ValueError:
        return "not chosen yet"


# Numba drops the branch that does not fit the number of dimensions.


@_jit
def _relu(x: Array, out: Array) -> None:
    if x.ndim == 1:
        for i in prange(x.size):
            out[i] = rectify(x[i])
    else:
        for i in prange(x.shape[0]):
            for j in range(x.shape[1]):
                out[i, j] = rectify(x[i, j])


@_jit
def _leaky_relu(x: Array, out: Array, slope: Any) -> None:
    if x.ndim == 1:
        for i in prange(x.size):
            out[i] = leaky(x[i], slope)
    else:
        for i in prange(x.shape[0]):
            for j in range(x.shape[1]):
                out[i, j] = leaky(x[i, j], slope)


@_jit
def _relu_backward(x: Array, dy: Array, out: Array) -> None:
    if x.ndim == 1:
        for i in prange(x.size):
            out[i] = rectify_grad(dy[i], x[i])
    else:
        for i in prange(x.shape[0]):
            for j in range(x.shape[1]):
                out[i, j] = rectify_grad(dy[i, j], x[i, j])


@_jit
def _leaky_relu_backward(x: Array, dy: Array, out: Array, slope: Any) -> None:
    if x.ndim == 1:
        for i in prange(x.size):
            out[i] = leaky_grad(dy[i], x[i], slope)
    else:
        for i in prange(x.shape[0]):
            for j in range(x.shape[1]):
                out[i, j] = leaky_grad(dy[i, j], x[i, j], slope)


_LOOPS: dict[tuple[str, str], Any] = {
    ("relu", "forward"): _relu,
    ("relu", "backward"): _relu_backward,
    ("leaky_relu", "forward"): _leaky_relu,
    ("leaky_relu", "backward"): _leaky_relu_backward,
}
