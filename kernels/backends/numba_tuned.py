"""ReLU and LeakyReLU in Numba: hand-tuned vector loops, chosen by size and cache.

- Vector loops written in LLVM IR (kernels/tuned/simd.py and its neighbours), with streaming stores where they pay.
- Serial, parallel or streaming by size, dtype, layout, threads and the host's caches (kernels/tuned/choice.py).
- The gradient of prelu's slope is a pass of its own (kernels/tuned/sums.py).
- Past Numba's dispatcher: a compiled loop takes addresses, through its own entry point.
- Large new results come from a bounded pool (kernels/tuned/memory_pool.py: what it costs, how to switch it off).

Where the policy leaves a choice it is torch's: relu keeps -0 (+0 for 16-bit types), its gradient at NaN is 1, at 0
it is 0; the gradient of leaky_relu at 0 and NaN is the slope.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any, Literal

import numpy as np

from kernels.api import Case
from kernels.numba_cpu import threads
from kernels.numba_cpu.bind import library_versions
from kernels.numba_cpu.disk_cache import why_not_compiled
from kernels.numba_cpu.entry import address_of, locator
from kernels.ops.formula import arrays_of, target_of
from kernels.tuned import memory_pool
from kernels.tuned.bind import Bound, Mode, Walk, bind, streams, walk_of, writing
from kernels.tuned.choice import choose, thresholds
from kernels.tuned.elements import ELEMENTS
from kernels.tuned.loops import Loop, cache_hit
from kernels.tuned.sums import with_slope_gradient

__all__ = ["NumbaTuned", "Plan"]

Array = np.ndarray[Any, Any]
Plan = tuple[Mode, bool]
"""A mode, and whether to stream."""


class NumbaTuned:
    """Our kernels.  See the module's text."""

    name = "numba_tuned"
    distribution = "numba"
    alignment = 1

    def __init__(self, plan: Plan | None = None) -> None:
        """`plan` is followed instead of the table, as far as the arrays allow: for tests and tuning."""
        self._plan = plan
        self._last: Loop | None = None
        self._parallel = False

    def why_not(self, case: Case) -> str | None:
        """None on the CPU, where Numba compiles, for what there is a loop for."""
        if case.device != "cpu":
            return f"numba_tuned runs on the CPU only; device is {case.device!r}"
        if _element(case) not in ELEMENTS:
            return f"numba_tuned has no loop for {case.op} {case.direction}; numba_parallel compiles every op's own"
        return why_not_compiled()

    def set_threads(self, count: int) -> int:
        """Numba's thread count, at most the NUMBA_NUM_THREADS that it started with (also the default)."""
        return threads.limit(count)

    def adopt(self, host: Array, case: Case) -> Array:
        """`host` itself."""
        return host

    def bind(self, case: Case, x: Any, dy: Array | None, out: Array | None) -> Callable[[], Array]:
        """As `compile`, without the first execution.

        Arrays of any shape, strides and alignment are served; those that no loop fits by copies.
        Raises ValueError for a target that is read-only.
        """
        self._parallel = False
        call = self._bind(case, x, dy, out)
        if dy is None or not case.two_results:
            return call
        return with_slope_gradient(call, x, dy, case.dtype, parallel=self._parallel)

    def _bind(self, case: Case, x: Any, dy: Array | None, out: Array | None) -> Callable[[], Array]:
        inputs = arrays_of(x, dy)
        target = target_of(case.placement, x, dy, out)
        if target is not None and not target.flags.writeable:
            raise ValueError(
                f"the array to write (placement {case.placement}) is read-only; give a writable one"
            )
        like = inputs[0]
        walk = walk_of(np.empty(like.shape, like.dtype, _order(like)) if target is None else target, inputs)
        if walk is None:
            return self._by_copies(case, inputs, target)
        mode, streaming = self._choose(case, walk, target)
        self._parallel = mode.threads > 1
        self._last = Loop(_element(case), case.dtype, walk.shape, streaming)
        bound = bind(self._last, walk, inputs, _rounded(_slope(case), like.dtype), mode)
        return _allocating(bound, inputs) if target is None else writing(bound, inputs, target)

    def compile(self, case: Case, x: Array, dy: Array | None, out: Array | None) -> Callable[[], Array]:
        """JIT, or fetch from the on-disk cache, and run once, on the arrays themselves."""
        call = self.bind(case, x, dy, out)
        call()
        return call

    def compile_report(self) -> dict[str, int | bool]:
        """Whether the last loop came from the on-disk cache."""
        return {"cache_hit": self._last is not None and cache_hit(self._last)}

    def sync(self, result: Array) -> None:
        """Nothing to wait for."""

    def to_numpy(self, result: Array) -> Array:
        """`result` itself."""
        return result

    def versions(self) -> dict[str, str]:
        """The versions of Numba, llvmlite and LLVM."""
        return library_versions()

    def _choose(self, case: Case, walk: Walk, target: Array | None) -> Plan:
        mode, streaming = self._plan or choose(
            _element(case), case.dtype, walk, case.itemsize, threads.count()
        )
        address = 0 if target is None else address_of(target)
        # In place a line has been read before it is written: there is nothing to save.
        return mode, streaming and case.placement != "inplace" and streams(walk, address, case.itemsize)

    def _by_copies(self, case: Case, inputs: Sequence[Array], target: Array | None) -> Callable[[], Array]:
        fresh = replace(case, placement="new")

        def call() -> Array:
            x, *more = (np.ascontiguousarray(array) for array in inputs)
            two = case.direction == "forward" and more
            result = self._bind(fresh, (x, *more) if two else x, None if two or not more else more[0], None)()
            if target is None:
                return result
            np.copyto(target, result)
            return target

        return call


def _element(case: Case) -> str:
    return case.op if case.direction == "forward" else f"{case.op}_backward"


def _slope(case: Case) -> float:
    return case.values.get("slope", case.negative_slope)


def _rounded(slope: float, dtype: np.dtype[Any]) -> float:
    # -0.0 == 0.0, so a cache of slopes needs the sign beside them.
    return _rounded_once(slope, math.copysign(1.0, slope), dtype)


@functools.lru_cache(maxsize=256)  # a slope may be learnt: many values, each once
def _rounded_once(slope: float, _: float, dtype: np.dtype[Any]) -> float:
    with np.errstate(all="ignore"):  # a slope beyond the dtype's range is infinite there
        return float(dtype.type(slope))


def _order(x: Array) -> Literal["C", "F"]:
    """A result has the memory order of the input where that is contiguous, as in NumPy."""
    return "F" if x.flags.f_contiguous and not x.flags.c_contiguous else "C"


def _allocating(bound: Bound, inputs: Sequence[Array]) -> Callable[[], Array]:
    like = inputs[0]
    entry, rest, shape, dtype = bound.entry, bound.rest, like.shape, like.dtype
    order = _order(like)
    locate = locator(like.ndim, like.itemsize)
    empty = np.empty if like.nbytes < thresholds().pool_from else memory_pool.shared().empty

    def call(_kept: object = tuple(inputs)) -> Array:  # the loop knows addresses only
        result = empty(shape, dtype, order)
        entry(locate(result), *rest)
        return result

    return call
