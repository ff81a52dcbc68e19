"""Bind a compiled loop to the arrays of a case: what the Numba backends have in common."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import llvmlite  # type: ignore[import-untyped]  # it carries no type hints
import llvmlite.binding  # type: ignore[import-untyped]  # as above
import numba
import numpy as np

from kernels.api import Case
from kernels.numba_cpu.elements import CARRIER
from kernels.ops import op_of
from kernels.ops.formula import arrays_of
from kernels.ops.learnt import TwoResults

__all__ = ["CacheWatch", "bind_loop", "library_versions", "views"]

Array = np.ndarray[Any, Any]


def bind_loop(
    loop: Callable[..., Any], case: Case, x: Any, dy: Array | None, out: Array | None
) -> Callable[[], Array]:
    """The call of ``loop(x[, r][, dy], out[, slope])`` on these arrays; it is not executed here.

    Numba sees 16-bit floats as integers (`CARRIER`), and arrays that are all Fortran-contiguous
    transposed, so that the loop runs along memory.  For placement ``new`` the call allocates.
    Of an op that learns, the loop is given one element besides, for the gradient of the slope.
    """
    inputs = list(arrays_of(x, dy))
    slope = (_typed_slope(case, inputs[0].dtype),) if getattr(op_of(case.op), "scales", False) else ()
    bound = partial(_bound, case=case, inputs=inputs, slope=slope, out=out)
    return _summing(loop, bound, case, inputs[0].dtype) if case.two_results else bound(loop)


def _bound(
    loop: Callable[..., Any], case: Case, inputs: list[Array], slope: tuple[Any, ...], out: Array | None
) -> Callable[[], Array]:
    if case.placement == "new":
        return _allocating(loop, case, inputs, slope)
    target = out if case.placement == "out" else inputs[-1]
    assert target is not None, "placement out comes with an array"
    run = partial(loop, *views([*inputs, target], case.dtype), *slope)

    def call() -> Array:
        run()
        return target

    return call


def _summing(
    loop: Callable[..., None], bound: Callable[..., Callable[[], Array]], case: Case, dtype: np.dtype[Any]
) -> Callable[[], Array]:
    """The call of a loop that writes a sum, too, into one element; `bound` is `_bound` but for the loop."""
    total = np.zeros(1, dtype)
    (view,) = views([total], case.dtype)
    call = bound(lambda *arguments: loop(*arguments, view))

    def both() -> tuple[Array, Array]:
        return call(), total

    return TwoResults(both)


class CacheWatch:
    """Tells whether the loop that was compiled last came from Numba's on-disk cache."""

    def __init__(self) -> None:
        self.cache_hit = False

    def first_call(self, loop: Any, call: Callable[[], Array]) -> None:
        """Make `call`, which compiles `loop` if its types are new to this process."""
        hits, misses = loop.stats.cache_hits.total(), loop.stats.cache_misses.total()
        call()
        if loop.stats.cache_misses.total() > misses:
            self.cache_hit = False
        elif loop.stats.cache_hits.total() > hits:
            self.cache_hit = True


def library_versions() -> dict[str, str]:
    """The versions of Numba, llvmlite and LLVM."""
    llvm = ".".join(map(str, llvmlite.binding.llvm_version_info))
    return {"numba": numba.__version__, "llvmlite": llvmlite.__version__, "llvm": llvm}


def _allocating(
    loop: Callable[..., None], case: Case, inputs: list[Array], slope: tuple[Any, ...]
) -> Callable[[], Array]:
    empty_like, first = np.empty_like, inputs[0]
    *given, like = views([*inputs, first], case.dtype)
    run = partial(loop, *given)
    if like is first:

        def call() -> Array:
            out = empty_like(first)
            run(out, *slope)
            return out

        return call
    # A square has the same shape either way round; its strides tell.
    turned = like.ndim == 2 and (like.shape, like.strides) != (first.shape, first.strides)
    dtype = first.dtype

    def call_on_views() -> Array:
        out = empty_like(like)
        run(out, *slope)
        return out.T.view(dtype) if turned else out.view(dtype)

    return call_on_views


def views(arrays: list[Array], dtype: str) -> list[Array]:
    """The arrays as Numba is given them: as integers in 16 bits, and transposed where all are Fortran-contiguous."""
    carrier = CARRIER.get(dtype)
    if carrier is not None:
        arrays = [array.view(carrier) for array in arrays]
    if all(array.ndim == 2 and array.flags.f_contiguous for array in arrays):
        arrays = [array.T for array in arrays]
    return arrays


def _typed_slope(case: Case, dtype: np.dtype[Any]) -> Any:
    """The slope rounded to `dtype`, as the scalar that multiplies: float32 for the 16-bit types."""
    with np.errstate(all="ignore"):
        rounded = dtype.type(case.negative_slope)
        return np.float32(rounded) if case.dtype in CARRIER else rounded
