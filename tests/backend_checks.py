"""What every backend on the CPU is held to, case by case: of test_backends.py and test_torch_compile.py."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest

from kernels.api import DIRECTIONS, PLACEMENTS, Backend, Case
from kernels.correctness import policy
from kernels.numbers import host_arrays
from tests.calls import Driver

__all__ = [
    "a_second_set_of_buffers_gets_its_own_results",
    "aliases_the_host_array",
    "demand",
    "every_bit_pattern",
    "examples_of_the_article",
    "in_parallel",
    "no_elements",
    "results_lie_where_the_placement_says",
]


def demand(backend: Backend, case: Case) -> None:
    """Skip where it refuses the case."""
    reason = backend.why_not(case)
    if reason is not None:
        pytest.skip(reason)


def every_bit_pattern(backend: Backend, case: Case) -> None:
    """Of a dtype of 16 bits, in 1 << 16 elements."""
    demand(backend, case)
    x = np.arange(1 << 16, dtype=np.uint16).view(host_arrays.np_dtype(case.dtype))
    dy = np.random.default_rng(5).permutation(x) if case.direction == "backward" else None
    called = Driver(backend, case).call(x, dy)
    assert policy.judge(case, x, dy, called.result).problem is None


def in_parallel(backend: Backend, direction: str, dtype: str) -> None:
    """A length from which on there are threads, and a tail."""
    case = Case("leaky_relu", direction, "new", dtype, 100_003)
    demand(backend, case)
    driver = Driver(backend, case)
    x, dy = np.empty_like(driver.x), None if driver.dy is None else np.empty_like(driver.dy)
    host_arrays.fill(x, "special", 1)
    if dy is not None:
        host_arrays.fill(dy, "normal", 2)
    assert policy.judge(case, x, dy, driver.call(x, dy).result).problem is None


def examples_of_the_article(backend: Backend) -> None:
    x = np.array([-2, -1, 0, 1, 2], np.float32)
    demand(backend, Case("relu"))
    relu = Driver(backend, Case("relu", n=5)).call(x, None).result
    leaky = Driver(backend, Case("leaky_relu", n=5, negative_slope=0.01)).call(x, None).result
    assert relu.tolist() == [0, 0, 0, 1, 2]
    assert leaky.tolist() == [np.float32(-0.02), np.float32(-0.01), 0, 1, 2]


def no_elements(backend: Backend) -> None:
    for direction, placement in product(DIRECTIONS, PLACEMENTS):
        case = Case("leaky_relu", direction, placement, n=0)
        if backend.why_not(case) is None:
            nothing = np.empty(0, np.float32)
            called = Driver(backend, case).call(nothing, nothing if direction == "backward" else None)
            assert called.result.shape == (0,)
            assert called.result.dtype == np.float32


def aliases_the_host_array(backend: Backend, case: Case) -> None:
    """Its handle, and the call that is bound to it."""
    demand(backend, case)
    host = host_arrays.host_array(case)
    host[...] = 1
    handle = backend.adopt(host, case)
    run = backend.compile(case, handle, None, None)
    host[...] = 3
    assert (backend.to_numpy(handle) == 3).all(), "the handle is a copy"
    assert (backend.to_numpy(run()) == 3).all(), "the call works on a copy"


def results_lie_where_the_placement_says(backend: Backend, op: str, direction: str) -> None:
    for placement in PLACEMENTS:
        case = Case(op, direction, placement, n=71)
        if backend.why_not(case) is not None:
            continue
        driver = Driver(backend, case)
        x = np.linspace(-1, 1, case.n, dtype=np.float32)
        driver.call(x, x if direction == "backward" else None)
        if backend.name == "jax_jit" and placement == "inplace":
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


def a_second_set_of_buffers_gets_its_own_results(backend: Backend) -> None:
    """Rotating buffers: a call stays bound to its own arrays when the case is compiled again."""
    case = Case("relu", "backward", "new", n=71)
    demand(backend, case)
    drivers = [Driver(backend, case) for _ in range(3)]
    for number, driver in enumerate(drivers, 1):
        ones = np.ones(case.n, np.float32)
        driver.call(ones, ones * number)
    assert [float(backend.to_numpy(driver.again())[70]) for driver in drivers] == [1, 2, 3]
