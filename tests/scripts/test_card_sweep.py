"""Which way to go over an array is the fastest: by a device's own clock, and only among ways that are right."""

from __future__ import annotations

import json
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from kernels.api import Case
from scripts._card import sweep, told
from tests.standin import QueueRelu

CASE = Case("leaky_relu", placement="out", n=5000, device="cuda")


@dataclass(frozen=True)
class Way:
    """`busy_s`: seconds of the device; `works`: whether it writes all elements."""

    busy_s: float
    works: bool = True


WAYS = {"usual": Way(4e-3), "fast": Way(1e-3), "hasty": Way(0.0, works=False)}


class Planned(QueueRelu):
    """Takes as long as it is told, and leaves out an element if it is told."""

    def bind(self, case: Case, x: Any, dy: Any, out: Any, *, plan: Way) -> Any:
        whole = self._bound(case, x, dy, out)

        def spoil() -> None:
            time.sleep(plan.busy_s)
            if not plan.works:
                out[-1] = np.nan

        def call() -> Any:
            result = whole()
            self._stream.put(spoil)
            return result

        return call


def test_ways_are_timed_by_the_device_and_wrong_ones_named(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(sweep, "plans_of", lambda *_: WAYS)
    found = sweep.measured(Planned(), CASE, time.monotonic())
    assert found["wrong"] == ["hasty"]
    seconds = {way["name"]: way["seconds"] for way in found["plans"]}
    assert seconds["usual"] >= 0.9 * WAYS["usual"].busy_s
    assert seconds["usual"] > seconds["fast"] >= 0.9 * WAYS["fast"].busy_s
    shares = {way["name"]: way["share"] for way in found["plans"]}
    assert shares["fast"] == pytest.approx(found["copy_s"] / seconds["fast"]), (
        "forward moves what a copy moves"
    )
    (tmp_path / "sweep.json").write_text(
        json.dumps({"cases": [{"backend": "planned", **found}], "skipped": ["triton_jit: no card"]})
    )
    fast, skipped = told.sweep(tmp_path)
    assert fast.startswith("- planned leaky_relu forward float32 5000: usual (usual) ")
    assert ", fastest (fast) " in fast
    assert fast.endswith("wrong: hasty")
    assert skipped == "- not tried: triton_jit: no card"


def test_backward_moves_half_as_much_again_as_a_copy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sweep, "plans_of", lambda *_: {"usual": Way(1e-3)})
    case = Case("leaky_relu", "backward", "out", n=64, device="cuda")
    found = sweep.measured(Planned(), case, time.monotonic())
    (way,) = found["plans"]
    assert way["share"] == pytest.approx(1.5 * found["copy_s"] / way["seconds"])


def test_what_is_swept_is_what_was_asked_for() -> None:
    numba = sweep.plans_of("numba_cuda", CASE).values()
    assert {plan.unroll for plan in numba} == {1, 2, 4}
    assert {0, 8, 16} <= {plan.blocks_per_processor for plan in numba}
    assert {plan.streaming for plan in numba} == {False, True}
    pytest.importorskip("triton", reason="needs Triton")
    tiles = sweep.plans_of("triton_jit", Case("relu", dtype="bfloat16", n=8, device="cuda")).values()
    assert {tile.block * 2 for tile in tiles} == {4 << 10, 8 << 10, 16 << 10, 32 << 10}


def test_the_usual_way_comes_first_and_is_the_one_that_is_launched() -> None:
    from kernels.gpu.cuda_kernels import Plan

    assert next(iter(sweep.plans_of("numba_cuda", CASE).values())) == Plan()


class Ready(QueueRelu):
    """Has a launch that is ready; a plain one takes a millisecond of the caller's time."""

    def bind(self, case: Case, x: Any, dy: Any, out: Any) -> Any:
        ready = self.kept(case, x, dy, out)

        def plain() -> Any:
            time.sleep(1e-3)
            return ready()

        return plain

    def kept(self, case: Case, x: Any, dy: Any, out: Any) -> Any:
        return self._bound(case, x, dy, out)


class Unready(Ready):
    """Its framework is another one today."""

    def bind(self, case: Case, x: Any, dy: Any, out: Any) -> Any:
        return self._bound(case, x, dy, out)

    def kept(self, case: Case, x: Any, dy: Any, out: Any) -> Any:
        raise AttributeError("no attribute 'launch'")


def test_a_launch_that_is_ready_is_told_beside_the_plain_one(tmp_path: Path) -> None:
    case = Case("relu", placement="out", n=64, device="cuda")
    found = sweep.launches(Ready(), case)
    assert found["seconds"]["plain"] > found["seconds"]["ready"] > 0
    failed = sweep.launches(Unready(), case)
    assert failed["reason"] == "AttributeError: no attribute 'launch'"
    launched = [{"backend": name, **each} for name, each in (("a", found), ("b", failed))]
    (tmp_path / "sweep.json").write_text(json.dumps({"launches": launched}))
    lines = told.sweep(tmp_path)
    assert lines[0].startswith("- a, a call of 64 elements among many: plain ")
    assert lines[1].endswith("its launch ready before: AttributeError: no attribute 'launch'")
