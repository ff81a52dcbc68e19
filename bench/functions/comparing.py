"""`compare`: the experiment of ``pytest bench/``, for functions of a user's own and an array of theirs."""

from __future__ import annotations

import dataclasses
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from bench.arrays.function_ring import write
from bench.functions.located import Function, kind_of_array, located
from bench.functions.reference import kind_of_results, make_results
from bench.functions.result import Comparison, comparison
from bench.plan.experiments import FLOOR, Arm, Experiment, copies_of
from bench.plan.function_case import FUNCTION, FunctionCase
from bench.plan.options import parse
from bench.plan.settings import Settings
from bench.records.schema import Cell
from bench.run.run import Run
from kernels import registry
from kernels.api import DTYPES
from kernels.own.adopted import Adopted
from kernels.own.loading import giving, importing, loaded
from kernels.specs.function import CallableSpec

__all__ = ["compare"]

_VARIANTS = 4
"""Inputs that a function is called with in turn: the user's own, and the same numbers in another order."""
_LONG_S = 60.0
"""From so much time on, functions are measured in more processes, and more rounds."""
_MOST_BYTES = 1 << 30
"""Of all of them; a large x has fewer."""
_CLOSE: Mapping[str, tuple[float, float]] = {
    "float16": (1e-3, 1e-5),
    "bfloat16": (1.6e-2, 1e-5),
    "float32": (1.3e-6, 1e-5),
    "float64": (1e-7, 1e-7),
}
"""rtol and atol by dtype: the defaults of torch.testing.assert_close."""


def compare(
    functions: Mapping[str, Function],
    x: Any,
    *,
    out: Any = None,
    reference: Function | None = None,
    seconds: float = 20.0,
    rtol: float | None = None,
    atol: float | None = None,
    isolation: str = "process",
) -> Comparison:
    """Which of the functions is the fastest on `x`, and how sure that is.

    Each function takes one array and returns one; where `out` is given, it is called with an array besides, which it
    fills: ``f(x, out)`` or ``f(x, out=out)``.  It is a function that another process can import, or text as for
    ``--callable`` (``"jax:FILE.py:relu"``).  Functions of NumPy, torch and JAX get arrays of their own framework, on
    the same numbers; others get what `x` is.  JAX's are compiled by jax.jit.  `x` is a C-contiguous array of floats,
    of any shape, in the memory of the CPU.  `out` is an array of the same dtype, which tells the shape of results; each
    function writes into one of its own.

    Each function has a process of its own, they take turns round by round, a copy of the same bytes runs beside them
    where a result is as large as `x`, and all have to give what `reference` gives (a function; by default the first),
    within ``atol + rtol * |wanted|``, also where the numbers of `x` stand in another order.  It takes about `seconds`.
    ``isolation="inline"`` calls all in this process: for lambdas and for debuggers, not for figures to quote.

    Raises ValueError or TypeError in one line.  What goes wrong with one function is told in its row.
    """
    inside = importing()
    if inside is not None:
        raise ValueError(
            f'{inside} calls compare() when it is imported; put the call under if __name__ == "__main__":'
        )
    if isolation not in ("process", "inline"):
        raise ValueError(f"isolation is {isolation!r}; allowed: 'process', 'inline'")
    if not isinstance(functions, Mapping) or not functions:
        raise ValueError(
            "functions is no mapping of names to functions, as in {'mine': f, 'torch': torch.relu}"
        )
    if not 1 <= seconds <= 86400:
        raise ValueError(f"seconds is {seconds!r}; allowed: a number from 1 to 86400")
    inline, kind = isolation == "inline", kind_of_array(x)
    specs = [located(name, function, kind, inline=inline) for name, function in functions.items()]
    name, first = next(iter(functions.items())) if reference is None else ("reference", reference)
    judge = located(name, first, kind, inline=inline)
    everybody = [*functions.values(), first]
    begin = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="relu_bench_") as folder, _handed_over(everybody, inline=inline):
        case = _into(_case(_host(x, kind), Path(folder), rtol, atol), out)
        case = _with_results(case, judge, inline=inline)
        cells = _measured(case, specs, Path(folder), seconds, inline=inline)
    return comparison(case, cells, time.monotonic() - begin, inline=inline)


def _host(x: Any, kind: str, name: str = "x") -> np.ndarray:
    """Its numbers on the host, in the same memory where that can be.  Raises ValueError."""
    if kind == "torch":
        if x.device.type != "cpu":
            raise ValueError(f"{name} is on {x.device}; compare() measures on the CPU: give {name}.cpu()")
        x = registry.load("torch_eager").to_numpy(x.detach())
    host = np.asarray(x)
    if host.dtype.name not in DTYPES:
        raise ValueError(f"{name} has the dtype {host.dtype}; allowed: {', '.join(DTYPES)}")
    if not host.size or not host.ndim:
        raise ValueError(
            f"{name} has the shape {host.shape}; allowed: one dimension or more, one element or more"
        )
    if not host.flags.c_contiguous:
        raise ValueError(
            f"{name} is not C-contiguous; give np.ascontiguousarray({name}), or {name}.contiguous() of torch"
        )
    return host


def _case(host: np.ndarray, folder: Path, rtol: float | None, atol: float | None) -> FunctionCase:
    """With all inputs written down: the numbers of x, and the same in other orders."""
    close = _CLOSE[host.dtype.name]
    case = FunctionCase(
        FUNCTION,
        dtype=host.dtype.name,
        n=host.size,
        shape=host.shape,
        folder=str(folder),
        variants=max(2, min(_VARIANTS, _MOST_BYTES // host.nbytes)),
        rtol=close[0] if rtol is None else rtol,
        atol=close[1] if atol is None else atol,
    )
    rng = np.random.default_rng()
    for number in range(case.variants):
        write(case, "x", number, rng.permutation(host.reshape(-1)) if number else host)
    return case


def _into(case: FunctionCase, out: Any) -> FunctionCase:
    """With results written into arrays like `out`, where it is given.  Raises ValueError or TypeError in one line."""
    if out is None:
        return case
    like = _host(out, kind_of_array(out, "out"), "out")
    if like.dtype.name != case.dtype:
        raise ValueError(f"out has the dtype {like.dtype} and x {case.dtype}; they must be the same")
    return dataclasses.replace(case, placement="out", result_shape=like.shape, result_dtype=case.dtype)


def _with_results(case: FunctionCase, judge: CallableSpec, *, inline: bool) -> FunctionCase:
    """With what is right for each input written down."""
    if not inline:
        shape, dtype = kind_of_results(judge, case)
    else:
        shape, dtype = make_results(Adopted(judge, loaded(judge)), case)
    if case.placement == "out" and (shape, dtype) != (case.result_shape, case.result_dtype):
        raise ValueError(
            f"out has shape {case.result_shape}, {case.result_dtype}, and what is right has shape {shape}, {dtype}; "
            "give an out like the results"
        )
    return dataclasses.replace(case, result_shape=shape, result_dtype=dtype)


@contextmanager
def _handed_over(functions: Sequence[Function], *, inline: bool) -> Iterator[None]:
    """Inline, functions are found by what they are, and not by where."""
    given: dict[str, Callable[..., Any]] = {}
    if inline:
        given = {f"f{id(each)}": each for each in functions if not isinstance(each, str)}
    with giving(given):
        yield


def _measured(
    case: FunctionCase, specs: Sequence[CallableSpec], folder: Path, seconds: float, *, inline: bool
) -> list[Cell]:
    names = [spec.name for spec in specs]
    arms = [Arm(names[0], "baseline"), *map(Arm, names[1:]), Arm(names[-1], "twin")]
    arms += [*(copies_of(case) if case.is_elementwise else ()), Arm(FLOOR, "floor")]
    experiment = Experiment(case, tuple(arms))
    try:
        with Run(_settings(specs, folder, seconds, inline=inline), [experiment]) as run:
            run.measure(experiment)
            return run.rows()
    finally:
        registry.forget(names)


def _settings(specs: Sequence[CallableSpec], folder: Path, seconds: float, *, inline: bool) -> Settings:
    """Those of ``pytest bench/``, for these functions alone."""
    anybody = {"backends": "numpy_ufunc", "baseline": "numpy_ufunc", "results": folder / "results"}
    plain = parse({**anybody, "profile": "standard" if seconds >= _LONG_S else "quick"})
    names = tuple(spec.name for spec in specs)
    return dataclasses.replace(
        plain,
        profile_name="compare",
        profile=dataclasses.replace(plain.profile, grids=()),
        grids=(),
        backends=names,
        baseline=names[0],
        plugins={spec.name: str(spec) for spec in specs},
        minutes=seconds / 60,
        processes=1 if inline else None,
        inline=inline,
    )
