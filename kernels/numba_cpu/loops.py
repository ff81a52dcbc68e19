"""The plain loops that a Numba user would write, for any op: serial, or shared out among Numba's threads.

`prange` is `range` in a function that is not compiled with ``parallel=True``.
"""

from __future__ import annotations

import functools
import re
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from numba import prange
from numba.extending import register_jitable

from kernels.api import Case, facts_of
from kernels.numba_cpu import elements
from kernels.numba_cpu.bind import CacheWatch, bind_loop, library_versions
from kernels.numba_cpu.disk_cache import why_not_compiled
from kernels.numba_cpu.entry import digest, jit
from kernels.op_facts import params_of_text
from kernels.ops import exact_op, op_of, scalars, why_not
from kernels.ops.formula import Formula
from kernels.ops.scalars import narrowed, widened

__all__ = ["PlainLoops", "plain_loop"]

Array = np.ndarray[Any, Any]


class PlainLoops:
    """A backend of one loop a kernel, compiled for the dtype and the layout; cached on disk.

    A derived class has a name, and says whether the loops are `parallel`.
    """

    name: str
    parallel: bool
    distribution = "numba"
    alignment = 1

    def __init__(self) -> None:
        self._watch = CacheWatch()

    def why_not(self, case: Case) -> str | None:
        """None on the CPU, where Numba compiles, for an op with an expression for it."""
        if case.device != "cpu":
            return f"{self.name} runs on the CPU only; device is {case.device!r}"
        return why_not_compiled() or why_not("numba", case.op, case.direction, case.placement)

    def adopt(self, host: Array, case: Case) -> Array:
        """`host` itself."""
        return host

    def bind(self, case: Case, x: Array, dy: Array | None, out: Array | None) -> Callable[[], Any]:
        """As `compile`, without the first execution."""
        return bind_loop(plain_loop(case, self.parallel), case, x, dy, out)

    def compile(self, case: Case, x: Array, dy: Array | None, out: Array | None) -> Callable[[], Any]:
        """JIT, or fetch from the on-disk cache, and run once, on the arrays themselves."""
        call = self.bind(case, x, dy, out)
        self._watch.first_call(plain_loop(case, self.parallel), call)
        return call

    def compile_report(self) -> dict[str, int | bool]:
        """Whether the last loop that had to be compiled came from the on-disk cache."""
        return {"cache_hit": self._watch.cache_hit}

    def sync(self, result: Any) -> None:
        """Nothing to wait for."""

    def to_numpy(self, result: Any) -> Array:
        """`result` itself."""
        return result  # type: ignore[no-any-return]  # an array; a network's result is more

    def versions(self) -> dict[str, str]:
        """The versions of Numba, llvmlite and LLVM."""
        return library_versions()


def plain_loop(case: Case, parallel: bool) -> Any:
    """Numba's dispatcher of ``loop(x[, r][, dy], out[, slope])`` for one- and two-dimensional arrays."""
    kind = op_of(case.op)
    if isinstance(kind, Formula):
        return _of_formula(kind, case.op, case.direction, case.params, parallel)
    return _exact(case.op, case.direction, parallel)


@functools.cache
def _of_formula(kind: Formula, op: str, direction: str, params: str, parallel: bool) -> Any:
    """Of an op's expression for one element, whose parameters are constants."""
    function = kind.scalar(direction, params_of_text(params))
    two_inputs = direction == "forward" and facts_of(op).inputs == 2
    element = _of_two if two_inputs else _gradient if direction == "backward" else _of_one
    if kind.spec:  # a user's function may call those beside it
        files = sorted(Path(kind.spec.partition("=")[2].rpartition(":")[0]).parent.glob("*.py"))
    else:
        files = [Path(function.__code__.co_filename)]
    source = digest(elements, scalars, *files)
    make: Callable[..., Any] = _forward if element is _of_one else _backward
    if facts_of(op).learnt and direction == "backward":
        make = functools.partial(_summing, _wide(_jitable(kind.scalar_term(params_of_text(params)))))
    values = params.replace("-", "m").replace("+", "p")  # 1e-05 is not 1e+05
    name = f"{op}_{values}_{direction}_{'parallel' if parallel else 'serial'}_{source}"
    return jit(make(element(_jitable(function))), re.sub(r"\W", "_", name), parallel=parallel)


# In the type that holds an element: 16-bit floats are computed in float32, and rounded once.


def _of_one(function: Any) -> Any:
    return register_jitable(lambda v: narrowed(function(widened(v)), v))


def _of_two(function: Any) -> Any:
    return register_jitable(
        lambda r, v: narrowed(function(widened(v), widened(r)), v)
    )  # as `_backward` gives them


def _gradient(function: Any) -> Any:
    return register_jitable(lambda g, v: narrowed(function(widened(g), widened(v)), v))


def _wide(function: Any) -> Any:
    return register_jitable(lambda g, v: function(widened(g), widened(v)))


@functools.cache
def _exact(op: str, direction: str, parallel: bool) -> Any:
    kind = exact_op(op)
    element = _jitable(kind.scalar if direction == "forward" else kind.scalar_derivative)
    make = {
        ("forward", False): _forward,
        ("forward", True): _forward_scaled,
        ("backward", False): _backward,
        ("backward", True): _backward_scaled,
    }[direction, kind.scales]
    source = digest(elements, scalars, sys.modules[element.__module__])
    name = f"{op}_{direction}_{'parallel' if parallel else 'serial'}_{source}"
    return jit(make(element), name, parallel=parallel)


@functools.cache
def _jitable(function: Callable[..., Any]) -> Any:
    return register_jitable(function)


# Numba drops the branch that does not fit the number of dimensions.


def _forward(element: Callable[..., Any]) -> Callable[..., None]:
    def loop(x: Array, out: Array) -> None:
        if x.ndim == 1:
            for i in prange(x.size):
                out[i] = element(x[i])
        else:
            for i in prange(x.shape[0]):
                for j in range(x.shape[1]):
                    out[i, j] = element(x[i, j])

    return loop


def _forward_scaled(element: Callable[..., Any]) -> Callable[..., None]:
    def loop(x: Array, out: Array, slope: Any) -> None:
        if x.ndim == 1:
            for i in prange(x.size):
                out[i] = element(x[i], slope)
        else:
            for i in prange(x.shape[0]):
                for j in range(x.shape[1]):
                    out[i, j] = element(x[i, j], slope)

    return loop


def _backward(element: Callable[..., Any]) -> Callable[..., None]:
    def loop(x: Array, dy: Array, out: Array) -> None:
        if x.ndim == 1:
            for i in prange(x.size):
                out[i] = element(dy[i], x[i])
        else:
            for i in prange(x.shape[0]):
                for j in range(x.shape[1]):
                    out[i, j] = element(dy[i, j], x[i, j])

    return loop


def _backward_scaled(element: Callable[..., Any]) -> Callable[..., None]:
    def loop(x: Array, dy: Array, out: Array, slope: Any) -> None:
        if x.ndim == 1:
            for i in prange(x.size):
                out[i] = element(dy[i], x[i], slope)
        else:
            for i in prange(x.shape[0]):
                for j in range(x.shape[1]):
                    out[i, j] = element(dy[i, j], x[i, j], slope)

    return loop


def _summing(term: Callable[..., Any], element: Callable[..., Any]) -> Callable[..., Any]:
    """As `_backward`, and into `by` the sum of `term` over all elements, added in float64 as Python's own 0.0 is."""

    def loop(x: Array, dy: Array, out: Array, by: Array) -> None:
        total = 0.0
        if x.ndim == 1:
            for i in prange(x.size):
                total += term(dy[i], x[i])
                out[i] = element(dy[i], x[i])
        else:
            for i in prange(x.shape[0]):
                part = 0.0
                for j in range(x.shape[1]):
                    part += term(dy[i, j], x[i, j])
                    out[i, j] = element(dy[i, j], x[i, j])
                total += part
        by[0] = narrowed(total, by[0])

    return loop
