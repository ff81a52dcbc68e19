"""--threads reaches the BLAS under the networks of NumPy and of Numba."""

from __future__ import annotations

import subprocess
import sys
import textwrap
from collections.abc import Iterator

import pytest
from threadpoolctl import threadpool_info  # type: ignore[import-untyped]  # it carries no type hints

from kernels import networks
from kernels.networks import blas
from kernels.networks.case import NetworkCase
from tests.running import ROOT

pytestmark = pytest.mark.slow

ON_BLAS = pytest.mark.parametrize("name", ["numpy_ufunc", "numba_jit"])


@pytest.fixture(autouse=True)
def as_it_was() -> Iterator[None]:
    blas._libraries.cache_clear()  # other tests of this process may have loaded another BLAS since
    yield
    networks.load("numpy_ufunc").set_threads(0)


def counts() -> set[int]:
    """The counts of the BLAS libraries in this process, read anew."""
    return {library["num_threads"] for library in threadpool_info() if library["user_api"] == "blas"}


@ON_BLAS
def test_set_threads_sets_blas_and_returns_the_count_in_effect(name: str) -> None:
    network = networks.load(name)
    started_with = network.set_threads(0)
    for count in (1, 2):
        assert network.why_not(NetworkCase("mlp_relu", threads=count)) is None
        assert network.set_threads(count) == count
        assert counts() == {count}
    assert network.set_threads(0) == started_with
    assert counts() == {started_with}


@pytest.mark.parametrize(
    "name",
    [
        "numpy_ufunc",
        pytest.param("numba_jit", marks=pytest.mark.daily),
    ],  # the same code, compiled for seconds
)
def test_without_threadpoolctl_only_a_count_of_threads_is_refused(name: str) -> None:
    program = f"""
        import sys
        sys.modules["threadpoolctl"] = None  # Python's own way to say that there is none
        import numpy as np
        from kernels import networks
        from kernels.networks.case import NetworkCase
        network, case = networks.load({name!r}), NetworkCase("mlp_relu")
        assert network.set_threads(0) >= 1
        assert network.why_not(case) is None
        x = np.ones((1, 10), np.float32)
        assert network.compile(case, x, None, None)().shape == (1, 3)
        print(network.why_not(NetworkCase("mlp_relu", threads=2)))
    """
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(program)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert "pip install threadpoolctl" in done.stdout
    assert "--variant t2:OPENBLAS_NUM_THREADS=2" in done.stdout
