"""A backend that is slower by a known amount: what the suite's own detection rates are measured with.

`Slowed` is another backend (``RELU_BENCH_PLANT_BASE``, numpy_ufunc by default) whose calls take
1 + 1/k of its time (``RELU_BENCH_PLANT_EVERY``; 0, the default: not slowed, and then it is the same
program as its twin).  Short calls, of which a batch has thousands, are made twice every k-th time;
long ones, of which a batch may have two, are each followed by a wait of 1/k of what they took.
Both variables are read when the arm's process starts.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from itertools import cycle
from time import perf_counter
from typing import Any

from kernels.api import Case
from scripts._plugins.delegate import Delegate

__all__ = ["Slowed"]

_LONG = 32 << 10
"""Elements from which a call is long enough for two readings of the clock not to matter."""


class Slowed(Delegate):
    """The base backend, slowed by 1/k."""

    name = "planted"

    def __init__(self) -> None:
        super().__init__(os.environ.get("RELU_BENCH_PLANT_BASE", "numpy_ufunc"))
        self._every = int(os.environ.get("RELU_BENCH_PLANT_EVERY", "0"))

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


def _sometimes_twice(call: Callable[[], Any], sync: Callable[[Any], None], every: int) -> Callable[[], Any]:
    once = _in_turn([call])  # the second call takes what each call takes, the way through the ring included

    def twice() -> Any:
        sync(once())
        return call()

    return _in_turn([call] * (every - 1) + [twice]) if every else once


def _in_turn(calls: Sequence[Callable[[], Any]]) -> Callable[[], Any]:
    following = cycle(calls).__next__
    return lambda: following()()  # noqa: PLW0108  # each call takes the next from the ring


def _stretched(call: Callable[[], Any], sync: Callable[[Any], None], every: int) -> Callable[[], Any]:
    share = 1 / every if every else 0.0

    def stretched() -> Any:
        start = perf_counter()
        result = call()
        sync(result)
        now = perf_counter()
        until = now + share * (now - start)
        while now < until:
            now = perf_counter()
        return result

    return stretched
