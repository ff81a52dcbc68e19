"""The backend around a function: the framework's own arrays, threads and card; only the call is the function's."""

from __future__ import annotations

import ctypes
import hashlib
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from kernels.api import AXES, Case, facts_of
from kernels.own.delegate import Delegate
from kernels.own.signature import C_FUNCTION, Takes, takes_of
from kernels.specs.function import CallableSpec

__all__ = ["Adopted", "wrong_kind"]

Call = Callable[[], Any]
_BASES: Mapping[str, str] = {
    "numpy": "numpy_ufunc",
    "torch": "torch_eager",
    "jax": "jax_jit",
    "triton": "triton_jit",
    "cuda": "numba_cuda",
    "c": "numpy_ufunc",
}
"""Whose arrays a function of each kind is called with."""


class Adopted(Delegate):
    """`function`, called as `spec` says; it is named in tables as the spec is."""

    def __init__(self, spec: CallableSpec, function: Callable[..., Any]) -> None:
        """Raises ValueError for a function of other arguments than are given to it."""
        super().__init__(_BASES[spec.kind])
        self.name, self.spec = spec.name, spec
        self.takes = _takes(spec, function)
        self._function = function
        self._compiled: dict[tuple[object, ...], Callable[..., Any]] = {}

    def why_not(self, case: Case) -> str | None:
        """Of another op, of a direction or placement that its arguments do not fit, or what its arrays cannot be."""
        spec = self.spec
        if case.op != spec.op:
            return (
                f"{spec.name} is measured as {spec.op}; for {case.op} say --callable {case.op}@FILE:FUNCTION"
            )
        if case.two_results:
            return (
                f"{case.op} backward gives the gradient of the slope besides dx, and a function one array; for both"
                " write a plugin (docs/ops.md)"
            )
        if spec.kind in ("numpy", "c") and case.threads:
            return f"{spec.name} has threads of its own, which nothing here sets; leave out --threads"
        if spec.kind == "c" and (case.dtype, case.layout) != ("float32", "contiguous"):
            return f"{spec.name} takes float pointers: dtype float32, layout contiguous"
        return self.takes.why_not(case) or self._base.why_not(_of_relu(case))

    def versions(self) -> dict[str, str]:
        """The framework's, and of the function's file what tells it from a later one: the beginning of its SHA-256."""
        file = Path(self.spec.path)
        own = {"file": hashlib.sha256(file.read_bytes()).hexdigest()[:12]} if file.is_file() else {}
        return {**super().versions(), **own}

    def card(self, device: str) -> Any:
        """What the harness needs of the card."""
        return self._base.card(device)  # type: ignore[attr-defined]  # an optional member, of bases that serve cards

    def compile(self, case: Case, x: Any, dy: Any, out: Any) -> Call:
        """Compile under jax.jit where it is JAX's, and run once, on the arrays themselves."""
        call = self.bind(case, x, dy, out)
        result = call()
        wrong = None if case.placement == "out" else wrong_kind(result, x)
        if wrong is not None:
            raise TypeError(f"{self.name} {wrong}")
        if out is not None and result is not out:  # None, or another handle on the same memory
            call = partial(_giving, call, out)
            result = out
        self.sync(result)
        return call

    def bind(self, case: Case, x: Any, dy: Any, out: Any) -> Call:
        """As `compile`, without the first execution."""
        if self.spec.kind == "c":
            return _c_call(self._function, x, out)
        arrays = (*(() if dy is None else (dy,)), *(x if isinstance(x, tuple) else (x,)))
        if self.spec.kind == "jax":
            return partial(self._jitted(case, arrays), *arrays)
        given = self.takes.keywords(case)
        if out is None:
            return partial(self._function, *arrays, **given)
        if self.takes.out_by_name:
            return partial(self._function, *arrays, out=out, **given)
        return partial(self._function, *arrays, out, **given)

    def _jitted(self, case: Case, arrays: tuple[Any, ...]) -> Callable[..., Any]:
        key = (case.dtype, case.device, repr(case.values), *(each.shape for each in arrays))
        if key not in self._compiled:
            from kernels.own.jax_call import jitted  # noqa: PLC0415  # JAX, which other kinds do without

            self._compiled[key] = jitted(partial(self._function, **self.takes.keywords(case)), arrays)
        return self._compiled[key]


def wrong_kind(result: object, like: object) -> str | None:
    """Whether a result is no array of the framework that `like` is of."""
    like = like[0] if isinstance(like, tuple) else like
    if isinstance(result, type(like)):
        return None
    return f"returned {type(result).__name__}, wanted {type(like).__name__}"


def _of_relu(case: Case) -> Case:
    """What the base is asked about: its arrays have to serve the case, and not its own kernels."""
    return Case(**{axis: getattr(case, axis) for axis in AXES} | {"op": "relu", "params": ""})


def _takes(spec: CallableSpec, function: Callable[..., Any]) -> Takes:
    op = facts_of(spec.op)
    if spec.kind == "c":
        if op.inputs > 1:
            raise ValueError(f"{spec.function} is called with one array, and {spec.op} has {op.inputs}")
        return C_FUNCTION
    parameters = [each.name for each in op.params] + ["negative_slope"] * op.sloped
    try:
        takes = takes_of(function, op, parameters)
    except ValueError as error:
        raise ValueError(f"{spec.function} {error}") from None
    if spec.kind == "jax" and not takes.new:
        raise ValueError(
            f"{spec.function} takes {takes.text}; JAX arrays cannot be written to: return the result"
        )
    return takes


def _giving(call: Call, result: Any) -> Any:
    call()
    return result


def _c_call(function: Callable[..., Any], x: Any, out: Any) -> Call:
    """The call of a C function on the memory of `x`, into `out` or into an array that each call allocates."""
    source, count = ctypes.c_void_p(x.ctypes.data), ctypes.c_size_t(x.size)
    if out is not None:
        target = ctypes.c_void_p(out.ctypes.data)

        def write(_kept: object = (x, out)) -> Any:
            function(source, target, count)
            return out

        return write
    byref, first = ctypes.byref, ctypes.c_char.from_buffer
    if not x.size:
        return partial(np.empty_like, x)  # there is no memory whose address could be given

    def allocate(_kept: object = x) -> Any:
        result = np.empty_like(x)
        function(source, byref(first(result)), count)
        return result

    return allocate
