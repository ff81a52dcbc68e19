"""The gradient of a slope that is learnt: right sums pass, wrong ones do not, and torch's own is right."""

from __future__ import annotations

import itertools
import math
from typing import Any

import numpy as np
import pytest

from kernels.api import DTYPES, OPS, Case, facts_of
from kernels.correctness.learnt import judge_slope_gradient, slope_gradient_of
from kernels.numbers import host_arrays
from kernels.numbers.floats import np_dtype
from kernels.ops import op_of
from kernels.ops.learnt import TwoResults
from tests.calls import load

Array = np.ndarray[Any, Any]


def inputs(dtype: str, n: int = 1000) -> tuple[Case, Array, Array]:
    case = Case("prelu", "backward", dtype=dtype, n=n)
    x, dy = (np.empty(n, np_dtype(dtype)) for _ in range(2))
    for seed, array in enumerate((x, dy)):
        host_arrays.fill(array, "normal", seed)
    return case, x, dy


def right(x: Array, dy: Array) -> float:
    """math.fsum rounds once; of these dtypes, a product of two is a float64."""
    return math.fsum(float(a) * float(b) for a, b in zip(x, dy, strict=True) if not a > 0)


@pytest.mark.parametrize("name", OPS)
def test_an_op_that_learns_says_how_and_no_other_does(name: str) -> None:
    assert (getattr(op_of(name), "by_slope", None) is not None) == facts_of(name).learnt
    assert Case(name, "backward").two_results == (name == "prelu")
    assert not Case(name).two_results


def test_the_sum_is_one_element_that_is_written() -> None:
    assert Case("prelu", "backward", n=1024).bytes_moved == (3 * 1024 + 1) * 4


@pytest.mark.parametrize("dtype", ["float16", "bfloat16", "float32"])
def test_the_sum_of_all_products_is_right_and_takes_no_more_than_rounding_it(dtype: str) -> None:
    case, x, dy = inputs(dtype)
    judged = judge_slope_gradient(case, x, dy, x.dtype.type(right(x, dy)))
    assert judged.problem is None
    assert judged.share is not None
    assert judged.share < 0.1


@pytest.mark.parametrize("dtype", DTYPES)
def test_what_leaves_out_or_takes_in_too_much_is_wrong(dtype: str) -> None:
    case, x, dy = inputs(dtype, 200)
    dy = np.abs(dy)
    products = x.astype(np.float64) * dy.astype(np.float64)
    for wrong in (
        products.sum(),
        products[x > 0].sum(),
        -products[x < 0].sum(),
        products[:-20][x[:-20] < 0].sum(),
        0.25 * products[x < 0].sum(),
        0.0,
    ):
        problem = judge_slope_gradient(case, x, dy, x.dtype.type(wrong)).problem or ""
        assert "a sum over 200 elements" in problem


def test_a_sum_of_another_form_is_told() -> None:
    case, x, dy = inputs("float32")
    for found, said in (
        (None, "is missing: prelu backward gives it besides dx"),
        (0.5, "is float, wanted one element of float32"),
        (np.float64(0.5), "is float64 of shape ()"),
        (np.zeros(2, np.float32), "is float32 of shape (2,)"),
    ):
        assert said in (judge_slope_gradient(case, x, dy, found).problem or "")


def test_nan_reaches_the_sum_and_is_made_by_nothing_else() -> None:
    case, x, dy = inputs("float32")
    total = np.float32(right(x, dy))
    assert "wanted" in (judge_slope_gradient(case, x, dy, np.float32("nan")).problem or "")
    x[7] = np.nan
    assert "drops NaN" in (judge_slope_gradient(case, x, dy, total).problem or "")
    assert judge_slope_gradient(case, x, dy, np.float32("nan")).problem is None


@pytest.mark.parametrize(("dtype", "unit"), [("float16", 2.0**-11), ("bfloat16", 2.0**-8)])
def test_sixteen_bits_may_be_added_by_halves_which_is_told_but_not_one_after_the_other(
    dtype: str, unit: float
) -> None:
    case, x, dy = inputs(dtype, 4096)
    x, dy = -np.abs(x), np.abs(dy)
    halves, total = x * dy, x.dtype.type(0)
    for product in halves:
        total += product
    while halves.size > 1:
        halves = halves[::2] + halves[1::2]
    assert judge_slope_gradient(case, x, dy, halves[0]).problem is None
    assert "a sum over 4096 elements" in (judge_slope_gradient(case, x, dy, total).problem or "")
    judged = judge_slope_gradient(case, x, dy, x.dtype.type(right(x, dy) * (1 + 8 * unit)))
    assert (judged.problem, judged.notes) == (None, {"grad(slope) added in": dtype})


def test_only_an_infinity_is_excused_where_sums_overflow() -> None:
    case, x, dy = inputs("float16", 2000)
    x, dy = -np.abs(x) - np.float16(9), np.abs(dy) + np.float16(9)
    for found, is_right in ((-np.inf, True), (-65504, False), (0, False)):
        assert (judge_slope_gradient(case, x, dy, np.float16(found)).problem is None) is is_right


@pytest.mark.parametrize("name", ["numpy_ufunc", "numba_jit", "torch_eager"])
def test_special_values_are_summed_as_by_torch_autograd(name: str) -> None:
    """One at a time, among ordinary numbers."""
    torch: Any = pytest.importorskip("torch")
    backend, special = load(name), np.array([np.nan, np.inf, -np.inf, 0.0, -0.0, 1e-40], np.float32)
    x, dy = (np.array(values, np.float32) for values in ([1.0, -2.0, 3.0], [0.5, 1.5, -1.0]))
    case = Case("prelu", "backward", n=3)
    call: Any = backend.compile(case, backend.adopt(x, case), backend.adopt(dy, case), None)
    for value, operand, place in itertools.product(special, (x, dy), range(2)):
        kept, operand[place] = operand[place], value
        weight = torch.full((1,), 0.25, requires_grad=True)
        torch.nn.functional.prelu(torch.from_numpy(x), weight).backward(torch.from_numpy(dy))
        call()
        found = slope_gradient_of(backend, call)
        np.testing.assert_allclose(np.asarray(found).reshape(1), weight.grad.numpy(), rtol=1e-6)
        operand[place] = kept


def calls(call: Any, count: int) -> list[tuple[Any, Any]]:
    return [(call(), call.slope_gradient) for _ in range(count)]


def test_a_call_keeps_what_it_gives_besides() -> None:
    pairs = [("dx", 1), ("dy", 2)]
    call = TwoResults(iter(pairs).__next__)
    assert call.slope_gradient is None
    assert calls(call, 2) == pairs
