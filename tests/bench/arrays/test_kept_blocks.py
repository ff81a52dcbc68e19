"""The memory of large arrays is kept from case to case, where there is enough of it."""

from __future__ import annotations

import numpy as np
import pytest

from bench.arm import server
from bench.arm.server import ArmServer
from bench.arrays import kept_blocks
from bench.arrays.inputs import InputSource
from bench.arrays.kept_blocks import KeptBlocks
from kernels.api import Case
from kernels.backends.numpy_ufunc import NumpyUfunc

LARGE = 1000
"""Elements of float32 that count as many here."""


@pytest.fixture(autouse=True)
def smaller(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kept_blocks, "_KEPT_FROM", 4 * LARGE)


def _address(array: np.ndarray) -> int:
    return int(array.__array_interface__["data"][0])


def test_the_next_case_has_the_memory_of_the_one_before() -> None:
    blocks = KeptBlocks()
    before = [blocks.empty((2, LARGE // 2), np.float32) for _ in range(3)]
    places = {_address(array) for array in before}  # all alive, so that nobody else has them
    assert len(places) == 3
    assert all(array.shape == (2, LARGE // 2) and array.flags.c_contiguous for array in before)
    assert _address(blocks.empty(LARGE, np.float32)) not in places  # they are in use
    blocks.take_back()
    assert places < {_address(blocks.empty(LARGE // 2, np.float64)) for _ in range(4)}


@pytest.mark.parametrize("elements", [LARGE - 1, LARGE + 1])
def test_what_does_not_fit_is_let_go(elements: int) -> None:
    blocks = KeptBlocks()
    blocks.empty(LARGE, np.float32)
    blocks.take_back()
    assert blocks.nbytes == 4 * LARGE
    array = blocks.empty(elements, np.float32)
    assert blocks.nbytes == (array.nbytes if elements > LARGE else 0)
    assert _address(array) % 64 == 0


@pytest.mark.parametrize("scarce", [False, True])
def test_an_arm_keeps_its_arrays_where_memory_is_not_scarce(
    monkeypatch: pytest.MonkeyPatch, *, scarce: bool
) -> None:
    source = InputSource(3, free=lambda: 8 * LARGE if scarce else 1 << 40)
    monkeypatch.setattr(server, "InputSource", lambda _seed: source)
    arm = ArmServer(NumpyUfunc, 3, 1 << 16, plugin=False)
    arm.load()
    for _ in range(2):
        prepared = arm.prepare(Case("relu", placement="out", n=LARGE))
        assert (prepared.skip, prepared.gate.problem) == (None, None)
        assert source.blocks.nbytes == 2 * 4 * LARGE  # x and out
        arm.release()
        assert source.blocks.nbytes == (0 if scarce else 2 * 4 * LARGE)
    arm.trim()
    assert source.blocks.nbytes == 0
