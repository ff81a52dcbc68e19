"""Every built-in backend keeps the policy and the interface, in every case that it does not refuse.

torch_compile, which takes a second for each case, has test_torch_compile.py.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from itertools import product

import numpy as np
import pytest

from kernels.api import DIRECTIONS, DTYPES, MAIN_OPS, PLACEMENTS, Case
from kernels.numbers import host_arrays
from tests import backend_checks
from tests.backend_checks import demand
from tests.calls import CPU_BACKENDS, Driver, check, load

pytestmark = pytest.mark.slow

CASES = [Case(*axes) for axes in product(MAIN_OPS, DIRECTIONS, PLACEMENTS, DTYPES)]
OURS = ("numpy_ufunc", "numba_jit", "numba_parallel", "numba_tuned")
BACKENDS = [name for name in CPU_BACKENDS if name != "torch_compile"]
EVERY_BACKEND = pytest.mark.parametrize("name", BACKENDS)
TYPED = [
    pytest.param(
        dtype,
        name,
        marks=pytest.mark.daily if name == "numba_parallel" and dtype in ("float16", "float64") else (),
    )
    for name in BACKENDS
    for dtype in DTYPES
]
"""Every backend in every dtype; numba_parallel, which compiles numba_jit's loops for seconds, in two but once a day."""


def rare(case: Case, name: str) -> bool:
    """Compiled anew for seconds, by code that other cases show: once a day is enough."""
    float32, contiguous = case.dtype == "float32", case.layout == "contiguous"
    leaky, forward = case.op == "leaky_relu", case.direction == "forward"
    first = forward and case.placement == "new"
    if name == "numba_parallel":  # numba_jit compiles the same loops
        rounded = case.dtype == "bfloat16" and first
        return not (leaky and contiguous and (float32 or rounded))
    if name == "jax_jit":
        return not (leaky or first) or not (float32 or (first and case.dtype == "bfloat16"))
    usual = contiguous or (leaky and (float32 or (first and case.dtype == "bfloat16")))
    return not usual and name in ("numba_jit", "numba_tuned")


def in_every(cases: Iterable[Case]) -> pytest.MarkDecorator:
    """A test of each of these cases in each backend."""
    axes = ("op", "direction", "placement", "dtype", "layout")
    return pytest.mark.parametrize(
        ("case", "name"),
        [
            pytest.param(
                case,
                name,
                marks=pytest.mark.daily if rare(case, name) else (),
                id="-".join([*(getattr(case, axis) for axis in axes), name]),
            )
            for case in cases
            for name in BACKENDS
        ],
    )


def lengths(name: str) -> tuple[int, ...]:
    return (1, 7, 16, 17, 1023) if name in ("numba_jit", "numba_tuned") else (1, 17, 1023)


# --- values --------------------------------------------------------------------------------


@in_every(CASES)
def test_special_values_at_every_position(case: Case, name: str) -> None:
    backend = load(name)
    demand(backend, case)
    shown = name == "numba_parallel" or case.placement != "new"  # by numba_jit's loop; by a new result
    step = 5 if shown else 1
    for n in lengths(name):
        check(backend, replace(case, n=n), step)
    for slope in (0.0, 1.0, 1.5, -0.5) if case.op == "leaky_relu" else ():
        check(backend, replace(case, n=1023, negative_slope=slope), step=11)


@in_every(replace(case, n=35, layout=layout) for layout in ("strided", "transposed") for case in CASES)
def test_layouts(case: Case, name: str) -> None:
    backend = load(name)
    demand(backend, case)
    check(backend, case, step=7)


@in_every(Case(*axes, n=1 << 16) for axes in product(MAIN_OPS, DIRECTIONS, ("new",), ("float16", "bfloat16")))
def test_every_bit_pattern_of_16_bits(case: Case, name: str) -> None:
    backend_checks.every_bit_pattern(load(name), case)


@pytest.mark.parametrize(("dtype", "name"), TYPED)
@pytest.mark.parametrize("direction", DIRECTIONS)
def test_lengths_that_run_in_parallel(direction: str, dtype: str, name: str) -> None:
    backend_checks.in_parallel(load(name), direction, dtype)


@pytest.mark.parametrize(("dtype", "name"), [each for each in TYPED if each.values[1] in OURS])
def test_ours_round_the_slope_to_the_dtype(name: str, dtype: str) -> None:
    for direction in DIRECTIONS:
        case = Case("leaky_relu", direction, "new", dtype, 1023, negative_slope=0.01)
        assert check(load(name), case, step=11).model in ("A", "exact")


@EVERY_BACKEND
def test_the_examples_of_the_article(name: str) -> None:
    backend_checks.examples_of_the_article(load(name))


@EVERY_BACKEND
def test_no_elements(name: str) -> None:
    backend_checks.no_elements(load(name))


# --- memory --------------------------------------------------------------------------------


def others_show(name: str, dtype: str, layout: str) -> bool:
    """numba_jit adopts for it, and each takes a second to compile."""
    return name == "numba_parallel" and (layout, dtype) != ("contiguous", "float32")


@pytest.mark.parametrize(
    ("name", "dtype", "layout"),
    [
        pytest.param(*each, marks=pytest.mark.daily if others_show(*each) else ())
        for each in product(BACKENDS, DTYPES, ("contiguous", "strided", "transposed"))
    ],
)
def test_adopt_aliases_the_host_array(name: str, dtype: str, layout: str) -> None:
    n = 71 if layout == "contiguous" else 35
    backend_checks.aliases_the_host_array(load(name), Case("relu", dtype=dtype, n=n, layout=layout))


@EVERY_BACKEND
@pytest.mark.parametrize("op", MAIN_OPS)
@pytest.mark.parametrize("direction", DIRECTIONS)
def test_results_lie_where_the_placement_says(name: str, op: str, direction: str) -> None:
    backend_checks.results_lie_where_the_placement_says(load(name), op, direction)


@EVERY_BACKEND
def test_a_second_set_of_buffers_gets_its_own_results(name: str) -> None:
    backend_checks.a_second_set_of_buffers_gets_its_own_results(load(name))


@pytest.mark.parametrize("placement", PLACEMENTS)
@pytest.mark.parametrize(("dtype", "name"), [each for each in TYPED if each.values[1] in OURS])
def test_gradients_do_not_turn_infinities_into_nan(name: str, dtype: str, placement: str) -> None:
    """dy * (x > 0) would: inf * 0 is NaN."""
    x, dy = (np.array(values, host_arrays.np_dtype(dtype)) for values in ([-1, 1], [np.inf, np.inf]))
    called = Driver(load(name), Case("relu", "backward", placement, dtype, 2)).call(x, dy)
    assert called.result.tolist() == [0, np.inf]
