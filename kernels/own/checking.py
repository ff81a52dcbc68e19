"""Whether a function can be measured, found out in a process of its own before anything is: nothing is imported here.

A function that ends its process, or takes too long, is left to the run, where it costs its own cells.
"""

from __future__ import annotations

import json
import signal
from collections.abc import Iterator, Mapping

import numpy as np

from kernels.api import Case, facts_of
from kernels.numbers.host_arrays import aligned_empty, np_dtype
from kernels.own.adopted import Adopted, wrong_kind
from kernels.own.loading import loaded
from kernels.own.op import load_ops
from kernels.plugins import one_line
from kernels.specs.asking import replies, reply
from kernels.specs.function import CallableSpec, spec_of_text

__all__ = ["answer", "refuse"]

_TRIAL_S = 20
"""Longer than any of our own kernels takes to compile."""
_N = 1024


def refuse(spec: CallableSpec, dtype: str, ops: Mapping[str, str]) -> None:
    """Import it, look at its arguments, and call it once with elements of that dtype.

    `ops` are users' own ops, as `kernels.own.op` tells them.

    Raises ValueError in one line, for what it raises, and for a result of another kind, shape or dtype.
    """
    found = replies(__name__, (str(spec), dtype, json.dumps(dict(ops))), what=f"{spec.path}:{spec.function}")
    for problem in found:
        if problem:
            raise ValueError(problem)


def answer(text: str, dtype: str, ops: str) -> None:
    """Reply with what is wrong, or with nothing, once before the trial and once after it."""
    load_ops(json.loads(ops))
    for problem in _problems(spec_of_text(text), dtype):
        reply(problem)
        if problem:
            return


def _problems(spec: CallableSpec, dtype: str) -> Iterator[str]:
    try:
        backend = Adopted(spec, loaded(spec))
        case = _trial_case(backend, dtype)
    except (ValueError, ImportError) as error:
        yield " ".join(str(error).split())
        return
    yield ""
    signal.alarm(_TRIAL_S)
    yield "" if case is None else _tried(backend, case)


def _trial_case(backend: Adopted, dtype: str) -> Case | None:
    """A case that it serves, None where it has none of that dtype.

    Raises ValueError where it needs a card that is not there.
    """
    spec, takes = backend.spec, backend.takes
    direction, placement = ("backward" if takes.backward else "forward"), ("new" if takes.new else "out")
    reasons = []
    for device in ("cpu", "cuda"):
        case = Case(spec.op, direction, placement, dtype, _N, device=device)
        reasons.append(backend.why_not(case))
        if reasons[-1] is None:
            return case
    if spec.kind in ("triton", "cuda"):
        raise ValueError(reasons[-1])
    return None


def _tried(backend: Adopted, case: Case) -> str:
    """What is wrong with one call; empty where nothing is."""
    x = aligned_empty(_N, np_dtype(case.dtype))
    x[...] = np.linspace(-2.0, 2.0, _N)
    backward, given = case.direction == "backward", case.placement == "out"
    try:
        dy, out = (backend.adopt(x.copy(), case) if there else None for there in (backward, given))
        inputs = tuple(backend.adopt(x.copy(), case) for _ in range(facts_of(case.op).inputs))
        handles = (inputs if len(inputs) > 1 else inputs[0]), dy, out
        result = backend.bind(case, *handles)()
        called = f"{backend.spec.function}{backend.takes.text}, called with {_N} elements of {case.dtype},"
        wrong = None if given else wrong_kind(result, handles[0])
        if wrong is not None:
            return f"{called} {wrong}"
        found = backend.to_numpy(handles[2] if given else result)
    except Exception as error:  # noqa: BLE001  # whatever a user's function raises is passed on
        return f"{backend.spec.function} called with {_N} elements of {case.dtype} raised {one_line(error)}"
    if found.shape != x.shape or found.dtype != x.dtype:
        return f"{called} returned shape {found.shape}, {found.dtype}; wanted shape {x.shape}, {x.dtype}"
    return ""
