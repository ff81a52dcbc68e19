"""Every built-in backend keeps the policy and the interface, in every case that it does not refuse."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from itertools import product

import numpy as np
import pytest

from kernels.api import DIRECTIONS, DTYPES, MAIN_OPS, PLACEMENTS, Backend, Case
from kernels.correctness import policy
from kernels.numbers import host_arrays
from tests.calls import CPU_BACKENDS, Driver, check, load

pytestmark = pytest.mark.slow

CASES = [Case(*axes) for axes in product(MAIN_OPS, DIRECTIONS, PLACEMENTS, DTYPES)]
OURS = ("numpy_ufunc", "numba_jit", "numba_parallel", "numba_tuned")
EVERY_BACKEND = pytest.mark.parametrize("name", CPU_BACKENDS)
NONE_COMPILED_ANEW = pytest.mark.parametrize(
    "name",
    [pytest.param(name, marks=pytest.mark.daily if name == "torch_compile" else ()) for name in CPU_BACKENDS],
)
"""Every backend, torch.compile once a day: its special values, and its promises, show the same."""
TYPED = [
    pytest.param(
        dtype,
        name,
        marks=pytest.mark.daily if name == "numba_parallel" and dtype in ("float16", "float64") else (),
    )
    for name in CPU_BACKENDS
    for dtype in DTYPES
]
"""Every backend in every dtype; numba_parallel, which compiles numba_jit's loops for seconds, in two but once a day."""


def rare(case: Case, name: str) -> bool:
    """Compiled anew for seconds, by code that other cases show: once a day is enough."""
    float32, contiguous = case.dtype == "float32", case.layout == "contiguous"
    leaky, forward = case.op == "leaky_relu", case.direction == "forward"
    first = forward and case.placement == "new"
    if name == "torch_compile":
        given_twice = (case.direction, case.placement) in (("forward", "inplace"), ("backward", "out"))
        usual = contiguous and not given_twice and (leaky or (first and float32))
        return not (float32 and usual) and not (first and leaky and case.dtype in ("float32", "bfloat16"))
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
            for name in CPU_BACKENDS
        ],
    )


def demand(backend: Backend, case: Case) -> None:
    reason = backend.why_not(case)
    if reason is not None:
        pytest.skip(reason)


# torch.compile takes a good part of a second for each length and slope, and JAX a tenth, so they get fewer of them, and
# tests here and in test_backend_promises.py ask for the same ones, which torch.compile fetches from its cache.


def lengths(name: str, case: Case) -> tuple[int, ...]:
    if name == "torch_compile":
        return (1, 71) if case == Case("relu") else (71,)
    return (1, 7, 16, 17, 1023) if name in ("numba_jit", "numba_tuned") else (1, 17, 1023)


def other_slopes(name: str, case: Case) -> tuple[float, ...]:
    if case.op == "relu":
        return ()
    if name == "torch_compile":
        return (1.5,) if (case.dtype, case.placement) == ("float32", "new") else ()
    return (0.0, 1.0, 1.5, -0.5)


# --- values --------------------------------------------------------------------------------


@in_every(CASES)
def test_special_values_at_every_position(case: Case, name: str) -> None:
    backend = load(name)
    demand(backend, case)
    shown = name == "numba_parallel" or case.placement != "new"  # by numba_jit's loop; by a new result
    step = 5 if shown else 1
    for n in lengths(name, case):
        check(backend, replace(case, n=n), step)
    for slope in other_slopes(name, case):
        check(backend, replace(case, n=lengths(name, case)[-1], negative_slope=slope), step=11)


@pytest.mark.daily
@pytest.mark.parametrize("slope", [0.0, 1.0, -0.5])
@pytest.mark.parametrize("direction", DIRECTIONS)
def test_slopes_that_torch_compile_is_tried_with_once_a_day(direction: str, slope: float) -> None:
    backend, case = load("torch_compile"), Case("leaky_relu", direction, n=71, negative_slope=slope)
    demand(backend, case)
    check(backend, case, step=11)


@in_every(replace(case, n=35, layout=layout) for layout in ("strided", "transposed") for case in CASES)
def test_layouts(case: Case, name: str) -> None:
    if name == "torch_compile" and (case.op, case.dtype) != ("leaky_relu", "float32"):
        pytest.skip("one of them shows it; each takes a good part of a second to compile")
    backend = load(name)
    demand(backend, case)
    check(backend, case, step=7)


@in_every(Case(*axes, n=1 << 16) for axes in product(MAIN_OPS, DIRECTIONS, ("new",), ("float16", "bfloat16")))
def test_every_bit_pattern_of_16_bits(case: Case, name: str) -> None:
    backend = load(name)
    demand(backend, case)
    x = np.arange(1 << 16, dtype=np.uint16).view(host_arrays.np_dtype(case.dtype))
    dy = np.random.default_rng(5).permutation(x) if case.direction == "backward" else None
    called = Driver(backend, case).call(x, dy)
    assert policy.judge(case, x, dy, called.result).problem is None


@pytest.mark.parametrize(("dtype", "name"), TYPED)
@pytest.mark.parametrize("direction", DIRECTIONS)
def test_lengths_that_run_in_parallel(direction: str, dtype: str, name: str) -> None:
    if name == "torch_compile" and (dtype, direction) != ("float32", "forward"):
        pytest.skip("one of them shows it; each takes a good part of a second to compile")
    backend, case = load(name), Case("leaky_relu", direction, "new", dtype, 100_003)
    demand(backend, case)
    driver = Driver(backend, case)
    x, dy = np.empty_like(driver.x), None if driver.dy is None else np.empty_like(driver.dy)
    host_arrays.fill(x, "special", 1)
    if dy is not None:
        host_arrays.fill(dy, "normal", 2)
    assert policy.judge(case, x, dy, driver.call(x, dy).result).problem is None


@pytest.mark.parametrize(("dtype", "name"), [each for each in TYPED if each.values[1] in OURS])
def test_ours_round_the_slope_to_the_dtype(name: str, dtype: str) -> None:
    for direction in DIRECTIONS:
        case = Case("leaky_relu", direction, "new", dtype, 1023, negative_slope=0.01)
        assert check(load(name), case, step=11).model in ("A", "exact")


@NONE_COMPILED_ANEW
def test_the_examples_of_the_article(name: str) -> None:
    x = np.array([-2, -1, 0, 1, 2], np.float32)
    backend = load(name)
    demand(backend, Case("relu"))
    relu = Driver(backend, Case("relu", n=5)).call(x, None).result
    leaky = Driver(backend, Case("leaky_relu", n=5, negative_slope=0.01)).call(x, None).result
    assert relu.tolist() == [0, 0, 0, 1, 2]
    assert leaky.tolist() == [np.float32(-0.02), np.float32(-0.01), 0, 1, 2]


@EVERY_BACKEND
def test_no_elements(name: str) -> None:
    for direction, placement in product(DIRECTIONS, PLACEMENTS):
        case = Case("leaky_relu", direction, placement, n=0)
        backend = load(name)
        if backend.why_not(case) is None:
            nothing = np.empty(0, np.float32)
            called = Driver(backend, case).call(nothing, nothing if direction == "backward" else None)
            assert called.result.shape == (0,)
            assert called.result.dtype == np.float32


# --- memory --------------------------------------------------------------------------------


ADOPTED = [
    (name, dtype, layout)
    for name in CPU_BACKENDS
    for dtype in DTYPES
    for layout in ("contiguous", "strided", "transposed")
]


def others_show(name: str, dtype: str, layout: str) -> bool:
    """torch_eager, or numba_jit, adopts for it, and each takes a second to compile."""
    return name in ("torch_compile", "numba_parallel") and (layout, dtype) != ("contiguous", "float32")


@pytest.mark.parametrize(
    ("name", "dtype", "layout"),
    [pytest.param(*each, marks=pytest.mark.daily if others_show(*each) else ()) for each in ADOPTED],
)
def test_adopt_aliases_the_host_array(name: str, dtype: str, layout: str) -> None:
    n = 71 if layout == "contiguous" else 35
    backend, case = load(name), Case("relu", dtype=dtype, n=n, layout=layout)
    if name == "torch_compile" and layout != "contiguous":
        pytest.skip("torch_eager adopts for it")
    demand(backend, case)
    host = host_arrays.host_array(case)
    host[...] = 1
    handle = backend.adopt(host, case)
    run = backend.compile(case, handle, None, None)
    host[...] = 3
    assert (backend.to_numpy(handle) == 3).all(), "the handle is a copy"
    assert (backend.to_numpy(run()) == 3).all(), "the call works on a copy"


@pytest.mark.parametrize(
    ("name", "op"),
    [
        pytest.param(name, op, marks=pytest.mark.daily if (name, op) == ("torch_compile", "relu") else ())
        for name in CPU_BACKENDS
        for op in MAIN_OPS
    ],
)
@pytest.mark.parametrize("direction", DIRECTIONS)
def test_results_lie_where_the_placement_says(name: str, op: str, direction: str) -> None:
    backend = load(name)
    for placement in PLACEMENTS:
        case = Case(op, direction, placement, n=71)
        if backend.why_not(case) is not None:
            continue
        driver = Driver(backend, case)
        x = np.linspace(-1, 1, case.n, dtype=np.float32)
        driver.call(x, x if direction == "backward" else None)
        if name == "jax_jit" and placement == "inplace":
            continue  # donation: the buffer belongs to XLA
        one = backend.to_numpy(driver.again())
        two = backend.to_numpy(driver.again())
        home = {"new": None, "out": driver.out, "inplace": driver.x if driver.dy is None else driver.dy}[
            placement
        ]
        if home is not None:
            assert np.shares_memory(one, home), case
            continue
        for other in (two, driver.x, driver.dy):
            assert other is None or not np.shares_memory(one, other), case


@NONE_COMPILED_ANEW
def test_a_second_set_of_buffers_gets_its_own_results(name: str) -> None:
    """Rotating buffers: a call stays bound to its own arrays when the case is compiled again."""
    backend, case = load(name), Case("relu", "backward", "new", n=71)
    demand(backend, case)
    drivers = [Driver(backend, case) for _ in range(3)]
    for number, driver in enumerate(drivers, 1):
        ones = np.ones(case.n, np.float32)
        driver.call(ones, ones * number)
    assert [float(backend.to_numpy(driver.again())[70]) for driver in drivers] == [1, 2, 3]


@pytest.mark.parametrize("placement", PLACEMENTS)
@pytest.mark.parametrize(("dtype", "name"), [each for each in TYPED if each.values[1] in OURS])
def test_gradients_do_not_turn_infinities_into_nan(name: str, dtype: str, placement: str) -> None:
    """dy * (x > 0) would: inf * 0 is NaN."""
    x, dy = (np.array(values, host_arrays.np_dtype(dtype)) for values in ([-1, 1], [np.inf, np.inf]))
    called = Driver(load(name), Case("relu", "backward", placement, dtype, 2)).call(x, dy)
    assert called.result.tolist() == [0, np.inf]
