"""The inputs of a case are kept for the next one, and are always the same bits."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from bench.arm.server import ArmServer
from bench.arrays.inputs import Inputs, InputSource
from kernels.api import Case
from kernels.backends.numpy_ufunc import NumpyUfunc
from tests.honest import HonestNumpy

FORWARD = Case("relu", n=1000)
BACKWARD = replace(FORWARD, direction="backward")


def _same(one: Inputs, other: Inputs) -> bool:
    pairs = [(one.x, other.x)] + ([] if one.dy is None or other.dy is None else [(one.dy, other.dy)])
    return (one.dy is None) == (other.dy is None) and all(a.tobytes() == b.tobytes() for a, b in pairs)


def test_kept_inputs_are_those_that_would_be_built() -> None:
    kept = InputSource(3)
    for case in (FORWARD, BACKWARD, replace(FORWARD, op="leaky_relu"), replace(BACKWARD, placement="out")):
        assert _same(kept.of(case), InputSource(3).of(case))
    assert kept.of(BACKWARD).x is kept.of(FORWARD).x


@pytest.mark.parametrize(
    "change", [{"n": 999}, {"dtype": "float64"}, {"data": "positive"}, {"layout": "strided"}]
)
def test_another_case_has_its_own(change: dict[str, object]) -> None:
    kept = InputSource(3)
    kept.of(FORWARD)
    other = replace(BACKWARD, **change)  # type: ignore[arg-type]  # fields of Case
    assert _same(kept.of(other), InputSource(3).of(other))


def test_scarce_memory_is_given_back() -> None:
    free = [1 << 40]
    kept = InputSource(3, free=lambda: free[0])
    first = kept.of(FORWARD)
    kept.trim()
    assert kept.of(FORWARD).x is first.x
    free[0] = first.nbytes
    kept.trim()
    assert kept.of(FORWARD).x is not first.x


def test_gaps_of_strided_inputs_count_as_memory() -> None:
    assert InputSource(3).of(replace(FORWARD, layout="strided")).nbytes >= 2 * 4 * 999


class Noting(NumpyUfunc):
    """Keeps copies of the arrays that it is given, as they are then."""

    def __init__(self) -> None:
        self.given: list[np.ndarray] = []

    def adopt(self, host: np.ndarray, case: Case) -> np.ndarray:
        self.given.append(host.copy())
        return super().adopt(host, case)


@pytest.mark.parametrize("direction", ["forward", "backward"])
@pytest.mark.parametrize("placement", ["new", "out", "inplace"])
@pytest.mark.parametrize("layout", ["contiguous", "transposed"])
def test_gate_rounds_and_last_looks_leave_them_as_they_were(
    direction: str, placement: str, layout: str
) -> None:
    backend = Noting()
    server = ArmServer(lambda: backend, 3, 1 << 20)
    server.load()
    case = Case("relu", direction=direction, placement=placement, layout=layout, n=4096)
    for _ in range(2):
        assert server.prepare(case).gate.problem is None
        assert server.batch(5, 0.0).problem is None
        assert server.finish().problem is None
    backend.given.clear()
    server.prepare(case)
    wanted = InputSource(3).of(case)
    assert backend.given[0].tobytes() == wanted.x.tobytes()
    assert wanted.dy is None or backend.given[1].tobytes() == wanted.dy.tobytes()


class Scribbles(HonestNumpy):
    """Right, but changes an element of its input when it is compiled, or at its first call after that."""

    def __init__(self, when: int) -> None:
        self._when = when

    def compile(
        self, case: Case, x: np.ndarray, dy: np.ndarray | None, out: np.ndarray | None
    ) -> Callable[[], np.ndarray]:
        call = super().compile(case, x, dy, out)
        calls = 0

        def scribbling() -> np.ndarray:
            nonlocal calls
            calls += 1
            if calls == self._when:
                x[777] = 0.5
            return call()

        if self._when == 0:
            x[777] = 0.5
        return scribbling


@pytest.mark.parametrize("when", [0, 1])
def test_an_input_written_before_the_gate_is_found_there(when: int) -> None:
    server = ArmServer(lambda: Scribbles(when), 3, 1 << 20)
    server.load()
    problem = server.prepare(FORWARD).gate.problem
    assert problem is not None
    assert "writes into its input x" in problem
