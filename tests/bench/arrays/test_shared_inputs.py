"""Inputs are generated once: all processes map the same bits, none changes another's, and nothing is left behind."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from bench.arrays.inputs import InputSource
from bench.arrays.shared_inputs import SharedInputs, Where
from kernels.api import DIRECTIONS, DTYPES, LAYOUTS, Case
from tests.running import ROOT

pytestmark = pytest.mark.skipif(not hasattr(os, "memfd_create"), reason="needs files in memory")

SEED = 5
CASE = Case("relu", direction="backward", n=1 << 19)


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("direction", DIRECTIONS)
def test_shared_inputs_are_those_that_would_be_built(direction: str, dtype: str, layout: str) -> None:
    case = replace(CASE, direction=direction, dtype=dtype, layout=layout)
    shared = SharedInputs(SEED)
    mapped, built = InputSource(SEED).of(case, shared.where(case)), InputSource(SEED).of(case)
    shared.close()
    for one, other in ((mapped.x, built.x), (mapped.dy, built.dy)):
        assert (one is None) == (other is None)
        if one is not None and other is not None:
            assert (one.shape, one.strides, one.dtype) == (other.shape, other.strides, other.dtype)
            assert one.tobytes() == other.tobytes()
            assert one.ctypes.data % 64 == 0
    assert (mapped.dy is None) == (direction == "forward")


def test_what_one_writes_nobody_else_sees() -> None:
    shared = SharedInputs(SEED)
    where = shared.where(CASE)
    one, other = InputSource(SEED).of(CASE, where), InputSource(SEED).of(CASE, where)
    before = other.x.copy()
    one.x[::1000] = 7.0
    assert np.array_equal(other.x, before)
    with pytest.raises(OSError, match="not permitted"), Path(where.x).open("r+b") as file:
        file.write(b"something else")
    shared.close()
    assert np.array_equal(other.x, before), "who has mapped them keeps them"


def test_the_next_case_has_its_own_and_small_ones_none() -> None:
    shared = SharedInputs(SEED)
    assert shared.where(CASE) == shared.where(replace(CASE, op="leaky_relu", placement="out"))
    assert shared.where(replace(CASE, direction="forward")) == replace(shared.where(CASE), dy="")
    other = replace(CASE, data="positive")
    assert (InputSource(SEED).of(other, shared.where(other)).x > 0).all()
    assert shared.where(replace(CASE, n=1000)) == Where()
    shared.close()


def test_inputs_that_cannot_be_reached_are_built() -> None:
    nowhere = Where("/proc/self/fd/987", "/proc/self/fd/987")
    assert np.array_equal(InputSource(SEED).of(CASE, nowhere).x, InputSource(SEED).of(CASE).x)


def test_without_files_in_memory_each_arm_builds_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    """As on macOS, and under a C library that is older than they are."""
    monkeypatch.delattr(os, "memfd_create")
    assert SharedInputs(SEED).where(CASE) == Where()


def test_a_killed_coordinator_leaves_nothing_behind() -> None:
    code = (
        "import os, signal\nfrom tests.bench.arrays.test_shared_inputs import CASE, SharedInputs\n"
        "print(SharedInputs(5).where(CASE).x, flush=True)\nos.kill(os.getpid(), signal.SIGKILL)"
    )
    before = set(Path("/dev/shm").iterdir())
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == -9
    assert not Path(done.stdout.strip()).exists()
    assert set(Path("/dev/shm").iterdir()) <= before
