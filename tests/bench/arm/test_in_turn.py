"""Arms that have memory in turn: between two requests they hold next to nothing, and are judged as all others."""

from __future__ import annotations

import gc
import re
import sys
from pathlib import Path

import pytest

from bench.arm.server import ArmServer
from bench.arrays.footprint import in_turn_bytes, needed_bytes
from bench.machine import memory
from bench.messages import Prepare
from bench.plan.experiments import Arm, Experiment
from bench.run.experiment import Limits, run
from bench.run.inline_pool import InlinePool
from kernels import registry
from kernels.api import Case
from tests.honest import HonestNumpy
from tests.running import wait_until
from tests.serving import never_late
from tests.tricksters import Memoised, SkipsTail, WatchesEnds

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(sys.platform != "linux", reason="memory is given back with madvise"),
]

SIZE = 8 << 20
LARGE = [
    Case("relu", direction=direction, placement=placement, n=SIZE)
    for direction, placement in (
        ("forward", "new"),
        ("forward", "out"),
        ("backward", "out"),
        ("backward", "inplace"),
    )
]


def _held() -> int:
    """Bytes that this process has written and nobody else has, garbage taken off.

    What it has only read does not count: a library's pages become its own when another process that had them ends.
    """
    gc.collect()
    (kib,) = re.findall(
        r"^Private_Dirty:\s+(\d+) kB$", Path("/proc/self/smaps_rollup").read_text(), re.MULTILINE
    )
    return int(kib) << 10


def _is_tried(name: str, case: Case) -> bool:
    """In make test; the others once a day."""
    return (name, case.placement) in (("jax_jit", "new"), ("numpy_ufunc", "inplace"))


@pytest.mark.parametrize(
    ("name", "case"),
    [
        pytest.param(
            name,
            case,
            marks=() if _is_tried(name, case) else pytest.mark.daily,
            id=f"{name}-{case.direction}-{case.placement}",
        )
        for name in ("numpy_ufunc", "jax_jit")
        for case in LARGE
    ],
)
def test_next_to_nothing_is_held_between_turns(name: str, case: Case) -> None:
    pytest.importorskip("jax" if name == "jax_jit" else "numpy")
    server = ArmServer(lambda: registry.load(name), 1, 1 << 16, plugin=False)
    server.load()
    if server.prepare(Case("relu", n=64)).skip or registry.load(name).why_not(case):
        pytest.skip("it has no such placement")
    server.prepare(case)
    server.release()
    server.trim()
    before = _held()
    assert server.prepare(case, in_turn=True).gate.problem is None
    inputs = case.n * case.itemsize * (2 if case.direction == "backward" else 1)
    most = before + inputs + case.n * case.itemsize // 2  # the pristine inputs, not shared here, and a part

    def lets_go() -> None:
        """XLA's threads drop what they computed with a moment after the result is there."""
        wait_until(lambda: _held() < most, "the arm to hold its inputs and no more", 20)

    for act in (lambda: server.probe(1e-4), lambda: server.batch(3, 0.0), lambda: server.batch(2, 0.0)):
        answer = act()
        assert getattr(answer, "problem", None) is None
        lets_go()
    assert server.finish().problem is None
    server.dispatch()
    lets_go()
    server.release()


@pytest.mark.parametrize("trick", [Memoised, SkipsTail, WatchesEnds])
@pytest.mark.parametrize("placement", ["new", "out"])
def test_tricks_are_found_in_turn(trick: type[HonestNumpy], placement: str) -> None:
    server = ArmServer(trick, 1, 1 << 16)
    server.load()
    with never_late():
        prepared = server.prepare(Case("relu", placement=placement, n=1 << 18), in_turn=True)
        if prepared.gate.problem is None:
            server.probe(1e-4)
            assert any(server.batch(3, 0.0).problem for _ in range(3)) or server.finish().problem


def test_arms_that_do_not_fit_at_once_are_measured_in_turn(monkeypatch: pytest.MonkeyPatch) -> None:
    case = Case("relu", placement="out", n=1 << 20)
    arms = (Arm("numpy_ufunc", "baseline"), Arm("numpy_ufunc", "twin"), Arm("numpy_ufunc"))
    asked: list[bool] = []

    class Pool(InlinePool):
        def call_all(self, arms: object, request: object) -> object:  # type: ignore[override]
            if isinstance(request, Prepare):
                asked.append(request.in_turn)
            return super().call_all(arms, request)  # type: ignore[arg-type]

    for free, in_turn in (
        (needed_bytes(case, 3), False),
        (in_turn_bytes(case), True),
        (in_turn_bytes(case) - 1, None),
    ):
        monkeypatch.setattr(memory, "free_bytes", lambda free=free: free + (512 << 20))
        asked.clear()
        pool = Pool({})
        states = run(Experiment(case, arms), pool, Limits(0.2, 0.002, 0.0, 3), 1).states  # type: ignore[arg-type]
        pool.close()
        if in_turn is None:
            assert {state.failure[0] for state in states if state.failure} == {"skipped"}
            assert all("for one arm at a time" in state.failure[1] for state in states if state.failure)
            continue
        assert [state.failure for state in states] == [None] * 3
        assert set(asked) == {in_turn}
        assert all(len(state.batches) == 3 for state in states)
