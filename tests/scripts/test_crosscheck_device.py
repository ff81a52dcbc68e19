"""crosscheck on a device: what a call has overwritten there is written anew; by a stand-in that is no CUDA card."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest

from kernels.api import DIRECTIONS, PLACEMENTS, Case
from kernels.correctness import policy
from kernels.numbers import host_arrays
from scripts._crosscheck.bound import Bound
from tests.standin import MutatingQueueRelu, QueueRelu


@pytest.mark.parametrize(("direction", "placement"), list(product(DIRECTIONS, PLACEMENTS)))
def test_a_backend_that_is_right_is_found_right(direction: str, placement: str) -> None:
    case = Case("leaky_relu", direction, placement, n=8, device="cuda")
    backend = QueueRelu()
    bound = Bound(backend, case)
    for seed in range(3):
        x = np.empty(8, np.float32)
        host_arrays.fill(x, "normal", seed)
        dy = x[::-1].copy() if direction == "backward" else None
        result, touched = bound(x, dy)
        assert touched is None
        assert policy.judge(case, x, dy, result).problem is None
    assert backend.adopted == case.arrays + (placement == "out"), "the handles are kept"


class WritesNothing(QueueRelu):
    """After its first execution."""

    def _bound(self, case: Case, x: object, dy: object, out: object) -> object:  # type: ignore[override]
        super()._bound(case, x, dy, out)()  # type: ignore[arg-type]
        return lambda: out


def test_what_is_not_written_is_seen_on_the_device() -> None:
    case = Case("relu", "forward", "out", n=8, device="cuda")
    x = np.ones(8, np.float32)
    result, _ = Bound(WritesNothing(), case)(x, None)
    assert "left unwritten" in str(policy.judge(case, x, None, result).problem)


def test_an_input_that_is_written_to_on_the_device_is_seen() -> None:
    bound = Bound(MutatingQueueRelu(), Case("relu", "forward", "out", n=8, device="cuda"))
    _, touched = bound(np.ones(8, np.float32), None)
    assert "writes into its input x" in str(touched)
