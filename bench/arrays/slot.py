"""One set of host arrays with the call compiled for them, and how a backend's handles lie to them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from kernels.api import Backend, Case

__all__ = ["EVERYWHERE", "Change", "Peek", "Slot", "aliases", "operands", "slot_bytes"]

EVERYWHERE: Any = ...
"""The index of all elements of an array."""

Peek = Callable[[Any], np.ndarray]
"""Shows, of a result, the elements at an index."""


@dataclass(slots=True)
class Slot:
    """One set of host arrays and the call compiled for them; `dy` is the second input of a forward that has two."""

    x: np.ndarray
    dy: np.ndarray | None
    out: np.ndarray | None
    call: Callable[[], Any]
    aliased: bool
    """Whether all of the backend's handles alias the host arrays, found by writing to each."""
    handles: tuple[Any, ...] = ()
    """The backend's own, of x, dy and out."""
    in_step: bool = False
    """Whether the handles are copies that are written and read as the host arrays are (see gpu_ring.py)."""

    def overwritten(self, case: Case) -> np.ndarray | None:
        """The host array that a call writes into; None for placement `new`."""
        if case.placement == "inplace":
            return self.x if self.dy is None else self.dy
        return self.out

    def standing(self, case: Case, result: Any) -> Any:
        """The backend's own handle in which a call's result has to stand: the one given for it, if one was."""
        overwritten = self.overwritten(case)
        if overwritten is None or not self.in_step:
            return result
        given = zip(self.handles, (self.x, self.dy, self.out), strict=True)
        return next(handle for handle, host in given if host is overwritten)


Change = Callable[[Slot], Sequence[Any]]
"""Writes into a slot's host arrays of inputs, and tells at which indexes."""


def aliases(backend: Backend, host: np.ndarray, handle: Any) -> bool:
    """Whether writing to `host` is seen through `handle`; leaves `host` as it was."""
    if host.size == 0:
        return True
    first = (0,) * host.ndim
    kept = host[first].copy()
    seen = []
    for value in (1, 2):
        host[first] = value
        seen.append(float(np.asarray(backend.to_numpy(handle))[first]))
    host[first] = kept
    return seen == [1.0, 2.0]


def operands(case: Case, x: Any, dy: Any, out: Any) -> tuple[Any, Any, Any]:
    """x, dy and out as `Backend.compile` takes them: in forward, an op of two inputs has both in place of x."""
    return ((x, dy), None, out) if case.direction == "forward" and dy is not None else (x, dy, out)


def slot_bytes(case: Case) -> int:
    """Bytes that one slot's arrays take."""
    inputs = case.arrays * (2 if case.layout == "strided" else 1)
    return (inputs + (case.placement == "out")) * case.n * case.itemsize
