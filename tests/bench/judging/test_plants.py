"""The plants, and who is asked what has to come out."""

from __future__ import annotations

import numpy as np
import pytest

from bench.arm.server import ArmServer
from bench.arm.worker import server_of
from bench.arrays.call_ring import Slots
from bench.arrays.inputs import InputSource
from bench.judging.plants import Plants
from bench.messages import Open
from kernels import registry
from kernels.api import Case
from tests.honest import HonestNumpy

pytestmark = pytest.mark.slow

CACHE_BYTES = 1 << 16


def test_plants_are_other_elements_each_time_and_are_taken_out_again() -> None:
    case = Case("relu", n=4096)
    inputs = InputSource(5).of(case)
    slot = Slots(HonestNumpy(), case, inputs, CACHE_BYTES).ring[0]
    plants, places, with_ends = Plants(case, inputs), set(), 0
    for _ in range(40):
        plants.change()
        plants.put(slot)
        changed = np.flatnonzero(slot.x != inputs.x)
        assert changed.size <= len(plants.x) <= 64
        assert set(changed) <= set(plants.index[0])
        places.update(changed.tolist())
        with_ends += {0, 4095} <= set(plants.index[0])
        flipped = np.sign(slot.x) - np.sign(inputs.x)
        assert np.count_nonzero(flipped) > 0
        assert flipped.sum() == 0  # as many each way
    assert len(places) > 1000
    assert 5 < with_ends < 35


def test_plants_see_a_result_that_is_not_of_now() -> None:
    case = Case("relu", n=4096)
    inputs = InputSource(6).of(case)
    slot = Slots(HonestNumpy(), case, inputs, CACHE_BYTES).ring[0]
    plants = Plants(case, inputs)
    plants.change()
    plants.put(slot)
    right = slot.call()
    assert plants.problem(lambda: right) is None
    plants.change()
    plants.put(slot)
    assert "returns an earlier result again" in (plants.problem(lambda: right) or "")
    assert plants.problem(slot.call) is None


def test_only_in_a_controls_role_says_an_arm_itself_what_to_expect() -> None:
    from bench.controls.arms import CopyPlain

    case = Case("relu", n=64)
    for control in (True, False):
        server = ArmServer(CopyPlain, 1, CACHE_BYTES, control=control)
        server.load()
        assert (server.prepare(case).gate.problem is None) is control


class Impostor(HonestNumpy):
    """Takes a control's name, and says what to expect of it."""

    name = "copy_plain"

    def expected(self, case: Case, x: np.ndarray, dy: np.ndarray | None) -> None:
        """Anything."""


def test_the_role_comes_from_the_coordinator(monkeypatch: pytest.MonkeyPatch) -> None:
    """And a plugin that takes a control's name is none, nor does a control serve as a candidate."""
    monkeypatch.setattr(registry, "_plugins", {})
    monkeypatch.setattr(registry, "_loaded", {})
    opened = {
        role: server_of(Open("copy_plain", role, {"copy_plain": f"{__name__}:Impostor"}, 1, CACHE_BYTES))
        for role in ("ceiling", "candidate")
    }
    assert {role: type(server.backend).__name__ for role, server in opened.items()} == {
        "ceiling": "CopyPlain",
        "candidate": "Impostor",
    }
