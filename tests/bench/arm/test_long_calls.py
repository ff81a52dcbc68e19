"""A call that takes long is made seldom outside of rounds: what is known from it once is not asked again."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from bench.arm.server import ArmServer
from bench.machine.clocks import clock
from kernels.api import PLACEMENTS, Case
from tests.honest import HonestNumpy


class Long(HonestNumpy):
    """Right, in no less than 12 ms; counts its calls."""

    def __init__(self) -> None:
        self.calls = 0

    def compile(
        self, case: Case, x: np.ndarray, dy: np.ndarray | None, out: np.ndarray | None
    ) -> Callable[[], np.ndarray]:
        call = super().compile(case, x, dy, out)

        def long() -> np.ndarray:
            self.calls += 1
            end = clock() + 0.012
            while clock() < end:
                pass
            return call()

        long()
        return long


@pytest.mark.parametrize("placement", PLACEMENTS)
def test_long_calls_are_few(placement: str) -> None:
    backend = Long()
    server = ArmServer(lambda: backend, 1, 1 << 16)
    server.load()

    def calls_of(act: Callable[[], object]) -> int:
        before = backend.calls
        act()
        return backend.calls - before

    assert calls_of(lambda: server.prepare(Case("relu", placement=placement, n=1 << 20))) == 2
    assert calls_of(lambda: server.probe(1e-3)) == 1
    assert server.batch(2, 0.0).problem is None
    finished = []
    last = calls_of(lambda: finished.append(server.finish()))
    assert finished[0].problem is None
    assert 2 <= last <= 1 + 3 + 1, "one that nobody could foresee, an audit, one whose memory is watched"
    assert calls_of(server.dispatch) == (placement != "inplace")
