"""A copy in a later process goes the way that won in the first one, without a race of its own."""

from __future__ import annotations

import pytest

from bench.arm.server import ArmServer
from bench.controls.arms import CopyPlain, EmptyCall
from bench.controls.pick_fastest import Race
from kernels.api import Case


@pytest.mark.parametrize("threads", [0, 1])
def test_a_copy_that_is_told_its_way_does_not_race(monkeypatch: pytest.MonkeyPatch, threads: int) -> None:
    monkeypatch.setattr(Race, "_run", lambda *_: pytest.fail("raced"))
    case = Case("relu", placement="out", n=50_000, threads=threads)
    server = ArmServer(CopyPlain, 1, 1 << 16, control=True)
    server.load()
    assert not server.raced(case)
    assert server.raced(case, "numpy")
    prepared = server.prepare(case)
    assert (prepared.skip, prepared.gate.problem, prepared.way) == (None, None, "numpy")


def test_a_copy_tells_the_way_that_won() -> None:
    case, server = Case("relu", placement="out", n=64), ArmServer(CopyPlain, 1, 1 << 16, control=True)
    server.load()
    assert server.prepare(case).way in ("serial", "numpy")


def test_who_is_no_copy_has_no_way() -> None:
    case, server = Case("relu", n=64), ArmServer(EmptyCall, 1, 1 << 16, control=True)
    server.load()
    assert not server.raced(case, "serial")
    prepared = server.prepare(case)
    assert (prepared.way, prepared.threads_effective) == ("", 1)
