"""At the gate and after the last round, the gradient of a slope is judged as dx is."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from bench.arm.server import ArmServer
from kernels.api import Case
from kernels.ops.learnt import TwoResults
from tests.honest import HonestNumpy

Array = np.ndarray[Any, Any]


class Prelu(HonestNumpy):
    """Right, in both results."""

    name = "prelu_of_numpy"

    def compile(self, case: Any, x: Array, dy: Array | None, out: Array | None) -> Callable[[], Array]:
        assert dy is not None
        slope, gradient = x.dtype.type(0.25), dy

        def both() -> tuple[Array, Any]:
            with np.errstate(all="ignore"):
                return np.where(x > 0, gradient, gradient * slope), self.total(x, gradient)

        return self.keeping(both)

    def keeping(self, both: Callable[[], tuple[Array, Any]]) -> Callable[[], Array]:
        call = TwoResults(both)
        call()
        return call

    def total(self, x: Array, dy: Array) -> Any:
        return x.dtype.type(np.where(x > 0, 0, x * dy).sum())


class OfToday(Prelu):
    """A plugin that knows of dx alone."""

    def keeping(self, both: Callable[[], tuple[Array, Any]]) -> Callable[[], Array]:
        return lambda: both()[0]


class NotNegated(Prelu):
    """Sums up where the slope has no part."""

    def total(self, x: Array, dy: Array) -> Any:
        return x.dtype.type(np.where(x > 0, x * dy, x * 0).sum())


class Remembers(Prelu):
    """Sums up at the gate, and never again."""

    def __init__(self) -> None:
        self.totals: list[Any] = []

    def total(self, x: Array, dy: Array) -> Any:
        if len(self.totals) < 40:
            self.totals.append(super().total(x, dy))
        return self.totals[-1]


@pytest.mark.parametrize(
    ("backend", "said"),
    [
        (Prelu, None),
        (OfToday, "the gradient of the slope is missing"),
        (NotNegated, "the gradient of the slope is "),
        (Remembers, "the timed output is wrong: the gradient of the slope is"),
    ],
)
def test_a_wrong_sum_costs_the_cell(backend: type[Prelu], said: str | None) -> None:
    server = ArmServer(backend, 1, 1 << 16)
    server.load()
    prepared = server.prepare(Case("prelu", "backward", n=100))
    problem = prepared.gate.problem
    if problem is None:
        server.probe(0.0)
        samples = [server.batch(20, 0.0) for _ in range(3)]
        assert [sample.problem for sample in samples] == [None] * 3
        problem = server.finish().problem
    assert (problem is None) if said is None else (said in (problem or ""))
