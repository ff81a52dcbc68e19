"""What only a card can show.  Skipped where there is none."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.fresh_python import run

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not Path("/dev/nvidiactl").exists(), reason="needs a CUDA card"),
]


@pytest.mark.parametrize("name", ["torch_eager", "torch_graph", "jax_jit", "numba_cuda", "triton_jit"])
def test_a_backend_is_right_on_it(name: str) -> None:
    done = run("-m", "scripts.crosscheck", "--devices", "cuda", "--backends", name, "--seconds", "0.1")
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]


def test_the_driver_waits_for_it() -> None:
    program = "from kernels.gpu.driver import driver_of; d = driver_of('cuda'); d.select(); d.waiter()(None)"
    done = run("-c", program)
    assert done.returncode == 0, done.stderr[-2000:]
