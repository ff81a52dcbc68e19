"""The sum for a slope that is learnt: right over several blocks and rows, alone and on threads, before dy is lost."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest

from kernels.api import Case
from kernels.backends.numba_tuned import NumbaTuned
from kernels.correctness.learnt import judge_slope_gradient, slope_gradient_of
from kernels.numbers import host_arrays
from kernels.tuned import sums
from kernels.tuned.bind import Mode

pytestmark = pytest.mark.slow

N = 3 * 4096 + 5


def test_a_sum_over_several_blocks_is_right_on_one_thread_and_on_two() -> None:
    for mode, placement in product((Mode(), Mode(2)), ("out", "inplace")):
        case = Case("prelu", "backward", placement, n=N)
        x, dy = (host_arrays.host_array(case) for _ in range(2))
        for seed, array in enumerate((x, dy)):
            host_arrays.fill(array, "normal", seed)
        backend, before = NumbaTuned((mode, False)), dy.copy()
        call = backend.bind(case, x, dy, host_arrays.output_array(case) if placement == "out" else None)
        call()
        judged = judge_slope_gradient(case, x, before, slope_gradient_of(backend, call))
        assert judged.problem is None
        assert judged.share is not None
        assert judged.share < 0.02


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_adding_in_any_order_takes_no_liberty_with_what_is_not_finite(value: float) -> None:
    x, dy = np.full(5000, -1.0, np.float32), np.ones(5000, np.float32)
    for place in (0, 4095, 4999):
        x[place] = value
        call = sums.with_slope_gradient(lambda: dy, x, dy, "float32", parallel=False)
        call()
        wanted = np.where(x > 0, 0, x * dy).sum()
        np.testing.assert_array_equal(call.slope_gradient, np.array([wanted], np.float32))
        x[place] = -1.0
