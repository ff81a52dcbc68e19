"""What each backend promises beside right values: refusals, versions, threads, and its framework's traps."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest

from kernels.api import DIRECTIONS, DTYPES, MAIN_OPS, PLACEMENTS, Case
from kernels.correctness import reference
from kernels.numbers import host_arrays
from tests.calls import CPU_BACKENDS, Driver, check, load
from tests.running import printed_by

pytestmark = pytest.mark.slow

EVERY_BACKEND = pytest.mark.parametrize("name", CPU_BACKENDS)


@EVERY_BACKEND
def test_refusals_are_sentences(name: str) -> None:
    backend = load(name)
    elsewhere = str(backend.why_not(Case("relu", device="cuda:7")))
    assert "no CUDA device" in elsewhere or "CPU only" in elsewhere
    for placement, layout in product(PLACEMENTS, ("contiguous", "strided", "transposed")):
        reason = backend.why_not(Case("relu", placement=placement, layout=layout))
        assert reason is None or len(reason.split()) > 4


@EVERY_BACKEND
def test_declared_deviations_are_seen(name: str) -> None:
    """A declaration that no longer holds has to go."""
    backend = load(name)
    declared = getattr(backend, "deviations", {})
    if not declared:
        return
    seen = set()
    for direction in DIRECTIONS:
        case = Case("leaky_relu", direction, n=71)
        usual = check(load("numpy_ufunc"), case).notes
        seen |= {note for note, answer in check(backend, case).notes.items() if answer != usual.get(note)}
    assert set(declared) <= seen


@EVERY_BACKEND
def test_versions_are_named(name: str) -> None:
    versions = load(name).versions()
    assert versions
    assert all(isinstance(key, str) and isinstance(value, str) and value for key, value in versions.items())


@EVERY_BACKEND
def test_set_threads_returns_the_count_in_effect(name: str) -> None:
    backend = load(name)
    most = backend.set_threads(0)
    assert most >= 1
    assert 1 <= backend.set_threads(1) <= most
    assert backend.set_threads(0) == most


def test_numba_parallel_and_torch_obey_set_threads() -> None:
    for name in ("numba_parallel", "torch_eager"):
        backend = load(name)
        assert backend.set_threads(1) == 1
        x = np.linspace(-1, 1, 100_003, dtype=np.float32)
        case = Case("relu", n=x.size, threads=1)
        assert np.array_equal(Driver(backend, case).call(x, None).result, reference.forward("relu", x, 0.0))
        backend.set_threads(0)


@pytest.mark.parametrize("dtype", DTYPES)
def test_numpy_does_not_warn_of_ordinary_special_values(dtype: str) -> None:
    """Warnings are errors here.  Signalling NaNs are no ordinary values; frameworks do not make them."""
    special = host_arrays.specials(dtype)
    with np.errstate(invalid="ignore"):
        special = special * special.dtype.type(1)  # quiets them
    for op, direction, slope in product(MAIN_OPS, DIRECTIONS, (0.0, 0.01, 1.5)):
        case = Case(op, direction, dtype=dtype, n=special.size, negative_slope=slope)
        dy = special[::-1].copy() if direction == "backward" else None
        load("numpy_ufunc").compile(case, special, dy, None)()


@pytest.mark.daily  # so it is in a read-only checkout, see test_surroundings.py
def test_numba_counts_a_loop_from_the_disk_as_a_cache_hit() -> None:
    program = """
        import numpy as np
        import kernels
        backend = kernels.load('numba_jit')
        x = np.ones(8, np.float32)
        backend.compile(kernels.Case('relu', n=8), x, None, None)
        print(backend.compile_report()['cache_hit'])
    """
    printed_by(program)
    assert printed_by(program) == "True"


# --- JAX -----------------------------------------------------------------------------------


def test_jax_keeps_float64_and_leaves_the_configuration_alone() -> None:
    jax = pytest.importorskip("jax")
    backend, case = load("jax_jit"), Case("relu", dtype="float64", n=3)
    result = Driver(backend, case).call(np.array([1e300, 1 / 3, -1.0]), None).result
    assert result.tolist() == [1e300, 1 / 3, 0]
    assert not jax.config.jax_enable_x64


@pytest.mark.parametrize("direction", DIRECTIONS)
def test_jax_in_place_is_a_donation(direction: str) -> None:
    backend, case = load("jax_jit"), Case("leaky_relu", direction, "inplace", n=64)
    host = host_arrays.host_array(case)
    host[...] = -1
    x, dy = backend.adopt(host, case), backend.adopt(host, case) if direction == "backward" else None
    donated = x if dy is None else dy
    run = backend.compile(case, x, dy, None)
    assert not donated.is_deleted(), "compiling must not consume the input"
    address = donated.unsafe_buffer_pointer()
    result = run()
    assert result.unsafe_buffer_pointer() == address
    assert donated.is_deleted()
    assert (host == -1).all(), "the host array is not JAX's to write"


def test_jax_threads_are_fixed_at_first_use() -> None:
    pytest.importorskip("jax")
    program = """
        import numpy as np
        import kernels
        backend = kernels.load('jax_jit')
        print(backend.set_threads(1), backend.why_not(kernels.Case('relu', threads=1)))
        backend.adopt(np.ones(8, np.float32), kernels.Case('relu', n=8))
        print(backend.set_threads(3), backend.why_not(kernels.Case('relu', threads=3)))
        print(backend.why_not(kernels.Case('relu')))
    """
    before, after, default = printed_by(program).splitlines()
    assert before == "1 None"
    assert after.startswith("1 JAX fixed its pool at 1 threads")
    assert "fresh process" in after
    assert default == "None"


# --- torch ---------------------------------------------------------------------------------


def test_torch_adopts_a_read_only_array_without_a_warning() -> None:
    backend = load("torch_eager")
    for dtype in ("float32", "bfloat16"):
        host = np.ones(4, host_arrays.np_dtype(dtype))
        host.flags.writeable = False
        handle = backend.adopt(host, Case("relu", dtype=dtype, n=4))
        assert np.shares_memory(backend.to_numpy(handle), host)
