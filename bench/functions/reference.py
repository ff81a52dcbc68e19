"""The right results, by the function that is the reference, in a process of its own: it may crash, or import much."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from bench.arrays.function_ring import inputs_of, target_of, write
from bench.plan.function_case import FUNCTION, FunctionCase
from kernels.api import DTYPES
from kernels.own.adopted import Adopted
from kernels.own.loading import loaded
from kernels.plugins import one_line
from kernels.specs.asking import fields_in, replies, reply
from kernels.specs.function import CallableSpec, spec_of_text

__all__ = ["answer", "kind_of_results", "make_results"]

Kind = tuple[tuple[int, ...], str]


def kind_of_results(spec: CallableSpec, case: FunctionCase) -> Kind:
    """Have another process leave the results for all inputs in the case's folder; their shape and dtype.

    Raises ValueError in one line: what the reference raised, or what it returned instead of an array.
    """
    shape, into = (",".join(map(str, each)) for each in (case.shape, case.result_shape))
    words = (str(spec), case.folder, case.dtype, shape, str(case.variants), case.placement, into)
    what = f"{spec.name}, which says what is right"
    found = replies(__name__, words, what=what)[-1]
    (error,) = fields_in(found, what, "error")
    if error:
        raise ValueError(f"{what}: {error}")
    shape, dtype = fields_in(found, what, "shape", "dtype")
    if (
        not isinstance(shape, list)
        or not all(type(size) is int and size > 0 for size in shape)
        or dtype not in DTYPES
    ):
        raise ValueError(f"{what}: importing it gave no shape and dtype but {repr((shape, dtype))[:80]}")
    return tuple(shape), str(dtype)


def answer(  # noqa: PLR0917  # words of a command line
    text: str, folder: str, dtype: str, shape: str, variants: str, placement: str, into: str
) -> None:
    """What runs in that process."""
    sizes, results = (tuple(int(size) for size in each.split(",")) for each in (shape, into))
    n = int(np.prod(sizes))
    case = FunctionCase(
        FUNCTION,
        placement=placement,
        dtype=dtype,
        n=n,
        shape=sizes,
        result_shape=results,
        result_dtype=dtype,
        folder=folder,
        variants=int(variants),
    )
    try:
        spec = spec_of_text(text)
        found, name = make_results(Adopted(spec, loaded(spec)), case)
    except Exception as error:  # noqa: BLE001  # whatever a user's function raises is passed on
        reply({"error": str(error) if isinstance(error, ValueError) else one_line(error)})
        return
    reply({"error": "", "shape": list(found), "dtype": name})


def make_results(backend: Adopted, case: FunctionCase) -> Kind:
    """Call the reference with every input and write down its results; into an array only if it has to be given one.

    Raises ValueError, and whatever the reference raises.
    """
    if case.placement == "new" and not backend.takes.new:
        raise ValueError("writes into out, and there is none; give compare() an out like the results")
    if backend.takes.new:
        case = replace(case, placement="new")
    reason = backend.why_not(case)
    if reason is not None:
        raise ValueError(reason)
    kinds: set[Kind] = set()
    for number, x in enumerate(inputs_of(case)):
        target = backend.adopt(target_of(case), case) if case.placement == "out" else None
        result = backend.compile(case, backend.adopt(x, case), None, target)()
        backend.sync(result)
        found = backend.to_numpy(result) if hasattr(result, "shape") else result
        if not isinstance(found, np.ndarray) or found.dtype.name not in DTYPES or not found.size:
            what = (
                f"{found.dtype} of shape {found.shape}"
                if isinstance(found, np.ndarray)
                else type(result).__name__
            )
            raise ValueError(f"returned {what}; allowed: one array of {', '.join(DTYPES)}")
        kinds.add((found.shape, found.dtype.name))
        write(case, "y", number, found)
    if len(kinds) > 1:
        raise ValueError(f"returned arrays of different kinds for inputs of one kind: {sorted(kinds)}")
    return kinds.pop()
