"""From the arrays of a case to a call that launches a kernel of numba.cuda on them."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np

from kernels.api import MAIN_OPS, Case
from kernels.gpu.card import Array
from kernels.gpu.cuda_elements import ELEMENT_BITS
from kernels.gpu.cuda_formula import formula_kernel
from kernels.gpu.cuda_kernels import Plan, kernel, launch_shape
from kernels.gpu.cuda_ready import ready
from kernels.gpu.cuda_words import SIMULATED, cuda
from kernels.gpu.numba_card import CardArray, select
from kernels.numbers.floats import np_dtype
from kernels.ops.formula import arrays_of, target_of

__all__ = ["adopted", "kept", "launcher", "op_launcher"]

_USUAL = Plan()


def adopted(host: Array, case: Case) -> CardArray:
    """A copy of `host` (contiguous, of the case's dtype) on the case's card."""
    select(case.device)
    return CardArray(cuda.to_device(host.view(ELEMENT_BITS[case.dtype].carrier)), host.dtype)


def launcher(
    work: str,
    case: Case,
    x: CardArray,
    dy: CardArray | None,
    out: CardArray | None,
    *,
    plan: Plan = _USUAL,
) -> Callable[[], CardArray]:
    """The call that does `work` on these arrays (see `cuda_kernels.kernel`); it is not made here."""
    return _calling(
        kernel(work, case.dtype, _capability(), plan.unroll, streaming=plan.streaming),
        case,
        (x,) if dy is None else (dy, x),
        target_of(case.placement, x, dy, out),
        plan,
    )


def op_launcher(
    case: Case, x: Any, dy: CardArray | None, out: CardArray | None, *, plan: Plan = _USUAL
) -> Callable[[], CardArray]:
    """The call of the case's op on these arrays, likewise; of an op of two inputs `x` is a tuple of both.

    relu and leaky_relu have kernels of their own, of comparisons of bits, which keep to `plan`; other ops compute.
    """
    inputs = arrays_of(x, None) if dy is None else (dy, x)
    target = target_of(case.placement, x, dy, out)
    if case.op in MAIN_OPS:
        return launcher(case.op if dy is None else f"{case.op}_grad", case, x, dy, out, plan=plan)
    chosen = formula_kernel(case.op, case.direction, case.params, case.dtype, len(inputs))
    return _calling(chosen, case, inputs, target)


def kept(case: Case, x: CardArray, dy: CardArray | None, out: CardArray) -> Callable[[], CardArray]:
    """The call of relu or leaky_relu into a given array, by a launch whose arguments are ready (see `cuda_ready`)."""
    work, inputs = (case.op, (x,)) if dy is None else (f"{case.op}_grad", (dy, x))
    launch = ready(work, case, (*inputs, out), _slope(case))

    def call() -> CardArray:
        launch()
        return out

    return call


def _calling(
    chosen: Any,
    case: Case,
    inputs: tuple[CardArray, ...],
    target: CardArray | None,
    plan: Plan = _USUAL,
) -> Callable[[], CardArray]:
    launch = _configured(chosen, launch_shape(case.n, case.itemsize, _processors(), plan))
    bits, rest = [each.bits for each in inputs], (case.n, _slope(case))
    if target is None:
        allocate, dtype = partial(cuda.device_array, case.n, bits[0].dtype), inputs[0].dtype

        def call_new() -> CardArray:
            result = allocate()
            launch(*bits, result, *rest)
            return CardArray(result, dtype)

        return call_new
    given: CardArray = target

    def call() -> CardArray:
        launch(*bits, given.bits, *rest)
        return given

    return call


def _configured(chosen: Any, shape: tuple[int, int]) -> Callable[..., None]:
    """The kernel with its launch shape; the simulator keeps only the last shape, so it is told each time."""
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
