"""Ranges for a profiler: around each batch of an arm on a card, by what is there to make them."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from importlib.util import find_spec

import pytest

from bench.arm import server as servers
from bench.arm.ranges import ranges_on
from bench.arm.server import ArmServer
from bench.run.pool import SEED
from kernels.api import Case
from tests.standin import QueueRelu


def test_each_batch_of_an_arm_has_a_range_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[str] = []

    @contextmanager
    def noted(name: str) -> Iterator[None]:
        seen.append(name)
        yield
        seen.append("end")

    monkeypatch.setattr(servers, "ranges_on", {"cuda": noted}.__getitem__)
    arm = ArmServer(QueueRelu, SEED, 1 << 16)
    arm.load()
    arm.prepare(Case("relu", "forward", "out", n=64, device="cuda"))
    assert seen == []
    assert arm.batch(4, 0.0).problem is None
    assert seen == ["queue_relu relu-forward-out-float32-64-cuda", "end"]


def test_without_a_card_nothing_is_marked_and_nothing_imported() -> None:
    before = "nvtx" in sys.modules
    assert ranges_on("cpu") is nullcontext
    assert ("nvtx" in sys.modules) is before


def test_on_a_card_what_is_there_marks() -> None:
    torch = sys.modules.get("torch")
    if torch is not None and torch.version.cuda is not None:
        assert ranges_on("cuda") is torch.cuda.nvtx.range
    elif find_spec("nvtx") is None:
        assert ranges_on("cuda") is nullcontext
    else:
        with ranges_on("cuda")("a name"):
            assert "nvtx" in sys.modules
