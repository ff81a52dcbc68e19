"""Backends whose threads do not survive a fork: they refuse where their calls would wait for ever."""

from __future__ import annotations

import os

import pytest

from tests.running import printed_by

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not hasattr(os, "fork"), reason="needs a system with fork"),
]

PROGRAM = """
import os, signal, warnings
import numpy as np
import kernels

warnings.simplefilter("ignore")  # JAX warns of any fork
x = np.random.default_rng(0).standard_normal(1 << 21).astype(np.float32)


def computes():
    return np.array_equal(kernels.relu(x, backend={name!r}), np.maximum(x, 0))


kernels.load({name!r})
for used in (False, True):
    assert not used or computes()
    for mended in {mended}:
        child = os.fork()
        if child == 0:
            signal.alarm(60)  # ends it, if it waits for threads
            exec(mended)
            try:
                print(computes(), flush=True)
            except ValueError as error:
                print(str(error).partition(": ")[2], flush=True)
            os._exit(0)
        assert os.waitpid(child, 0)[1] == 0
"""


def test_jax_refuses_once_it_was_used() -> None:
    pytest.importorskip("jax")
    unused, used = printed_by(PROGRAM.format(name="jax_jit", mended=("",))).splitlines()
    assert unused == "True"
    assert used.startswith(
        "this process was forked, and JAX's threads do not survive a fork; start processes"
    )


@pytest.mark.parametrize("name", ["torch_eager", pytest.param("torch_compile", marks=pytest.mark.daily)])
def test_torch_refuses_while_it_would_use_threads(name: str) -> None:
    torch = pytest.importorskip("torch")
    if torch.get_num_threads() < 2:
        pytest.skip("torch has one thread here")
    alone = "import torch; torch.set_num_threads(1)"
    *_, said, mended = printed_by(PROGRAM.format(name=name, mended=("", alone))).splitlines()
    assert (
        "torch's threads do not survive a fork; call torch.set_num_threads(1), start processes with" in said
    )
    assert mended == "True"
