"""Whether functions can be measured, found out in another process before anything is: nothing is imported here.

Those of one file share a process.  A function that ends it, or takes too long, is left to the run, where it costs its
own cells; the others of its file are then asked about one by one.
"""

from __future__ import annotations

import json
import signal
from collections.abc import Iterator, Mapping, Sequence
from itertools import takewhile
from operator import not_
from typing import Any

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


def refuse(specs: Sequence[CallableSpec], dtype: str, ops: Mapping[str, str]) -> None:
    """Import each, look at its arguments, and call it once with elements of that dtype.

    `ops` are users' own ops, as `kernels.own.op` tells them.

    Raises ValueError in one line, for what it raises, and for a result of another kind, shape or dtype.
    """
    files: dict[str, list[CallableSpec]] = {}
    for spec in specs:
        files.setdefault(spec.path, []).append(spec)
    for own in files.values():
        for spec in own[_right_together(own, dtype, ops) :]:
            problem = next(filter(None, _asked([spec], dtype, ops)), None)
            if problem:
                raise ValueError(problem)


def _right_together(specs: Sequence[CallableSpec], dtype: str, ops: Mapping[str, str]) -> int:
    """How many of the first are right, or left to the run, in a process that they share.

    What is wrong from there on, one of them may have done to the next.
    """
    if len(specs) == 1:
        return 0
    try:
        found = _asked(specs, dtype, ops)
    except ValueError:
        return 0
    right = [*takewhile(not_, found)]
    died = len(right) == len(found) and len(found) % 2
    return len(right) // 2 + died


def _asked(specs: Sequence[CallableSpec], dtype: str, ops: Mapping[str, str]) -> list[Any]:
    texts = json.dumps([str(spec) for spec in specs])
    what = f"{specs[0].path}:{specs[0].function}"
    return replies(__name__, (texts, dtype, json.dumps(dict(ops))), what=what)


def answer(texts: str, dtype: str, ops: str) -> None:
    """Reply for each function with what is wrong, or with nothing, once before the trial and once after it."""
    load_ops(json.loads(ops))
    for text in json.loads(texts):
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
    problem = "" if case is None else _tried(backend, case)
    signal.alarm(0)
    yield problem


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
