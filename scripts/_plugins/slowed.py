"""Backends that are slower by a known amount: what the suite's own detection rates are measured with.

`Slowed` is another backend whose calls take 1 + 1/k of its time (``RELU_BENCH_PLANT_EVERY``; 0, the default: not
slowed, and then it is the same program as its twin).  Short calls, of which a batch has thousands, are made twice every
k-th time; long ones, of which a batch may have two, are each followed by a wait of 1/k of what they took.

`Behind` is another backend (``RELU_BENCH_PLANT_BASE``), each call of which takes longer than that of any.
The variables are read when the arm's process starts.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from itertools import cycle
from time import perf_counter
from typing import Any

from kernels.api import Case
from kernels.own.delegate import Delegate

__all__ = [
    "BASE",
    "EVERY",
    "PLUGINS",
    "Behind",
    "Slowed",
    "SlowedNumbaJit",
    "SlowedNumbaParallel",
    "SlowedNumpyUfunc",
    "SlowedTorchEager",
]

BASE = "RELU_BENCH_PLANT_BASE"
EVERY = "RELU_BENCH_PLANT_EVERY"
_LONG = 256 << 10
"""Elements from which a wait of a twentieth of a call is long beside the time that a reading of the clock takes."""
_BEHIND_S = 20e-6
_BEHIND_BYTES_PER_S = 3e9
"""A call that takes so long, and moves bytes so slowly, is behind that of every backend on this kind of machine."""


class Slowed(Delegate):
    """The base backend, slowed by 1/k.

    Each base has a name of its own, as a run learns by the name how much processes of a backend differ.
    """

    base = ""

    def __init__(self) -> None:
        super().__init__(self.base)
        self._every = int(os.environ.get(EVERY, "0"))

    def why_not(self, case: Case) -> str | None:
        """The base's reason; in place, a second call would see the first one's output."""
        if case.placement == "inplace":
            return "a call that is made twice needs its input as it was; use placement new or out"
        return super().why_not(case)

    def compile(self, case: Case, x: Any, dy: Any, out: Any) -> Callable[[], Any]:
        """The base's call, slowed; an unslowed one goes through the same motions."""
        call = super().compile(case, x, dy, out)
        slow = _stretched if case.n >= _LONG else _sometimes_twice
        return slow(call, self._base.sync, self._every)

    def compile_report(self) -> dict[str, Any]:
        """The base's, where it has one."""
        report: Callable[[], dict[str, Any]] = getattr(self._base, "compile_report", dict)
        return report()


class SlowedNumpyUfunc(Slowed):
    """NumPy's."""

    name, base = "slowed_numpy_ufunc", "numpy_ufunc"


class SlowedNumbaJit(Slowed):
    """Numba's serial loop."""

    name, base = "slowed_numba_jit", "numba_jit"


class SlowedNumbaParallel(Slowed):
    """Numba's parallel loop."""

    name, base = "slowed_numba_parallel", "numba_parallel"


class SlowedTorchEager(Slowed):
    """PyTorch's."""

    name, base = "slowed_torch_eager", "torch_eager"


class Behind(Delegate):
    """Another backend, as a baseline that never leads."""

    name = "behind"

    def __init__(self) -> None:
        super().__init__(os.environ.get(BASE, "numpy_ufunc"))

    def compile(self, case: Case, x: Any, dy: Any, out: Any) -> Callable[[], Any]:
        """The base's call, and a wait."""
        call = super().compile(case, x, dy, out)
        return _stretched(call, self._base.sync, 0, _BEHIND_S + case.bytes_moved / _BEHIND_BYTES_PER_S)


PLUGINS = {
    plugin.name: f"{__name__}:{plugin.__name__}"
    for plugin in (SlowedNumpyUfunc, SlowedNumbaJit, SlowedNumbaParallel, SlowedTorchEager, Behind)
}


def _sometimes_twice(call: Callable[[], Any], sync: Callable[[Any], None], every: int) -> Callable[[], Any]:
    def twice() -> Any:
        sync(call())  # this function and `sync` take about what the way through the ring does
        return call()

    return _in_turn([call] * (every - 1) + [twice] if every else [call])


def _in_turn(calls: Sequence[Callable[[], Any]]) -> Callable[[], Any]:
    following = cycle(calls).__next__
    return lambda: following()()  # noqa: PLW0108  # each call takes the next from the ring


def _stretched(
    call: Callable[[], Any], sync: Callable[[Any], None], every: int, least_s: float = 0.0
) -> Callable[[], Any]:
    share = 1 / every if every else 0.0

    def stretched() -> Any:
        start = perf_counter()
        result = call()
        sync(result)
        now = perf_counter()
        until = max(now + share * (now - start), start + least_s)
        while now < until:
            now = perf_counter()
        return result

    return stretched
