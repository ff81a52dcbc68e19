"""From the arrays of a case to a call that launches a kernel of numba.cuda on them."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np

from kernels.api import Case
from kernels.gpu.card import Array
from kernels.gpu.cuda_elements import ELEMENT_BITS
from kernels.gpu.cuda_kernels import kernel, launch_shape
from kernels.gpu.cuda_words import SIMULATED, cuda
from kernels.gpu.numba_card import CardArray, select
from kernels.numbers.floats import np_dtype

__all__ = ["adopted", "launcher"]


def adopted(host: Array, case: Case) -> CardArray:
    """A copy of `host` (contiguous, of the case's dtype) on the case's card."""
    select(case.device)
    return CardArray(cuda.to_device(host.view(ELEMENT_BITS[case.dtype].carrier)), host.dtype)


def launcher(
    work: str, case: Case, x: CardArray, dy: CardArray | None, out: CardArray | None
) -> Callable[[], CardArray]:
    """The call that does `work` on these arrays (see `cuda_kernels.kernel`); it is not made here."""
    shape = launch_shape(case.n, case.itemsize, _processors())
    launch = _configured(work, case.dtype, shape)
    inputs = [x.bits] if dy is None else [dy.bits, x.bits]
    rest = (case.n, _slope(case))
    if case.placement == "new":
        allocate = partial(cuda.device_array, case.n, x.bits.dtype)
        dtype = x.dtype

        def call_new() -> CardArray:
            result = allocate()
            launch(*inputs, result, *rest)
            return CardArray(result, dtype)

        return call_new
    target = out if case.placement == "out" else (x if dy is None else dy)
    assert target is not None, "placement out comes with an array"
    given = target

    def call() -> CardArray:
        launch(*inputs, given.bits, *rest)
        return given

    return call


def _configured(work: str, dtype: str, shape: tuple[int, int]) -> Callable[..., None]:
    """The kernel with its launch shape; the simulator keeps only the last shape, so it is told each time."""
    chosen = kernel(work, dtype, _capability())
    if not SIMULATED:
        return chosen[shape]  # type: ignore[no-any-return]

    def launch(*arguments: Any) -> None:
        chosen[shape](*arguments)

    return launch


def _processors() -> int:
    return 1 if SIMULATED else int(cuda.get_current_device().MULTIPROCESSOR_COUNT)


def _capability() -> tuple[int, int]:
    """What the card can do; in the simulator all."""
    return (99, 0) if SIMULATED else tuple(cuda.get_current_device().compute_capability)


def _slope(case: Case) -> Any:
    """The slope rounded to the dtype, as the scalar that multiplies: float32 for the 16-bit types."""
    with np.errstate(all="ignore"):
        rounded = np_dtype(case.dtype).type(case.negative_slope)
    return rounded if case.dtype == "float64" else np.float32(rounded)
