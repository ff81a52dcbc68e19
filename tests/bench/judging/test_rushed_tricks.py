"""Work that depends on how soon a call comes, on who calls, on what is timed: it is found, and nobody else accused."""

from __future__ import annotations

import re
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import nullcontext
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from bench.arm import timed_loop
from bench.arm.server import ArmServer
from bench.machine.clocks import clock
from kernels import registry
from kernels.api import DIRECTIONS, PLACEMENTS, Case
from tests.calls import Driver
from tests.honest import Array, HonestNumpy
from tests.serving import batches, never_late, problem_of, served
from tests.tricksters import HARMLESS, base, harmless, rushed

pytestmark = pytest.mark.slow

N = 1 << 16
FORWARD = [Case("relu", placement=placement, n=N) for placement in ("new", "out")]
SMALL = [replace(case, n=1024) for case in FORWARD]
"""To drop a large result takes longer than two microseconds, as to allocate it does: a call never comes so soon."""
BACKWARD = [Case("relu", "backward", placement, n=N) for placement in ("new", "out")]
ONES = np.ones(10_000, np.float32)
BETWEEN = "where its input changes between two calls of a batch: "

TRICKS: list[tuple[type, list[Case], str]] = [
    (rushed.BackToBack, FORWARD, BETWEEN + "returns an earlier result again"),
    (rushed.SoonAgain, SMALL, BETWEEN + "returns an earlier result again"),
    (rushed.KeepsTheMask, BACKWARD, BETWEEN),
    (rushed.MaskOfCompile, BACKWARD, r"of \d+ elements looked at"),
    (rushed.LazyWhenRushed, FORWARD[:1], "returns before the work is done"),
    (
        rushed.ComputesInAdopt,
        [Case("relu", placement=each, n=N) for each in PLACEMENTS],
        "copies what it is given",
    ),
]


@pytest.mark.parametrize(
    ("trickster", "case", "says"),
    [(trickster, case, says) for trickster, cases, says in TRICKS for case in cases],
    ids=lambda each: getattr(each, "name", None) or getattr(each, "placement", ""),
)
def test_trick_is_found(trickster: type, case: Case, says: str) -> None:
    with nullcontext() if trickster is rushed.LazyWhenRushed else never_late():
        problem = problem_of(trickster, case)
    assert problem is not None
    assert re.search(says, problem), problem


class Counts(rushed.ClaimsSixtyFour):
    """And counts the calls that it gets."""

    def __init__(self) -> None:
        self.got = 0

    def trick(self, honest: base.Call, x: Array, out: Array | None) -> base.Call:
        def call() -> Any:
            self.got += 1
            return honest()

        return super().trick(call, x, out)


def test_a_plugin_that_says_that_a_call_is_many_is_timed_call_by_call() -> None:
    backend = Counts()
    server = served(lambda: backend, FORWARD[0])
    assert isinstance(server, ArmServer)
    before = backend.got
    sample = server.batch(128, 0.0)
    assert sample.iterations == 128
    assert backend.got - before >= 128


class SeesWhoCalls(HonestNumpy):
    """Notes the place in the harness that each call comes from."""

    def __init__(self) -> None:
        self.places: set[tuple[str, int, int]] = set()

    def compile(self, case: Any, x: Array, dy: Array | None, out: Array | None) -> base.Call:
        honest = super().compile(case, x, dy, out)

        def call() -> Any:
            frame = sys._getframe(1)
            self.places.add((frame.f_code.co_qualname, frame.f_lineno, frame.f_lasti))
            return honest()

        return call


def test_all_calls_of_a_batch_come_from_one_place() -> None:
    """So that nobody can tell which call's result will be looked at."""
    backend = SeesWhoCalls()
    server = served(lambda: backend, FORWARD[1])
    assert isinstance(server, ArmServer)
    backend.places.clear()
    assert [sample.problem for sample in batches(server, 4)] == [None] * 4
    assert len(backend.places) == 1


class SlowAndPatching(rushed.RestoresTheClock):
    """Takes some time, and knows it."""

    took_s = 100e-6

    def trick(self, honest: base.Call, x: Array, out: Array | None) -> base.Call:
        def call() -> Any:
            end = time.perf_counter() + self.took_s
            while time.perf_counter() < end:
                pass
            return honest()

        return super().trick(call, x, out)


def test_a_clock_that_is_put_back_in_time_has_not_been_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(vars(timed_loop), "clock", clock)  # puts it back
    server = served(SlowAndPatching, Case("relu", n=64))
    if isinstance(server, ArmServer):
        samples = [server.batch(16, 0.0) for _ in range(3)]
        assert all(sample.problem or min(sample.parts) >= SlowAndPatching.took_s for sample in samples)
        assert any(sample.problem for sample in samples)
        assert "replaces bench.arm.timed_loop.clock" in str([sample.problem for sample in samples])


class PatchesForABatch(HonestNumpy):
    """Replaces a judge in a batch, and puts it back in the next: all is well in the end."""

    def __init__(self) -> None:
        self.calls = 0
        self.undo = pytest.MonkeyPatch()

    def compile(self, case: Any, x: Array, dy: Array | None, out: Array | None) -> base.Call:
        honest = super().compile(case, x, dy, out)

        def call() -> Any:
            self.calls += 1
            if self.calls == 300:
                self.undo.setattr("bench.judging.plants.Plants.problem", lambda *_: None)
            if self.calls == 400:
                self.undo.undo()
            return honest()

        return call


def test_what_is_put_back_before_the_end_is_seen_after_the_batch() -> None:
    backend = PatchesForABatch()
    server = served(lambda: backend, Case("relu", n=64))
    assert isinstance(server, ArmServer)
    try:
        problems = [server.batch(64, 0.0).problem for _ in range(6)]
    finally:
        backend.undo.undo()
    assert "replaces bench.judging.plants.Plants.problem" in str(problems)
    assert backend.calls >= 300


@pytest.fixture(scope="module")
def compiled() -> None:
    """What ours are asked for below: compiling beside a busy program takes three times as long, and shows nothing."""
    for name, way in ((each, way) for each in OWN for way in TRIED[each]):
        case = Case("leaky_relu", *way, n=10_000)
        if registry.available()[name] is None and registry.load(name).why_not(case) is None:
            Driver(registry.load(name), case).call(ONES, ONES)


@pytest.fixture(scope="module")
def busy(compiled: None) -> Iterator[None]:
    """Another program that keeps CPUs busy."""
    others = [subprocess.Popen([sys.executable, "-c", "while True: pass"]) for _ in range(2)]
    yield
    for other in others:
        other.kill()
        other.wait()


FEW = (("forward", "new"), ("forward", "out"), ("backward", "inplace"))
"""Each placement, and each direction."""
NEW, OUT, INPLACE = ((way,) for way in FEW)
OWN = ("numba_tuned", "numba_parallel", "torch_eager", "jax_jit")
"""Backends that have threads, pools, or copies."""
TRIED = {
    **{"numba_tuned": FEW, "numba_parallel": OUT, "torch_eager": NEW, "jax_jit": INPLACE},
    **{"recycling_pool": NEW, "compiles_later": NEW, "settles_late": INPLACE, "plans_by_shape": INPLACE},
}
"""Into a given array Numba's are tried, whose loops wait for each other: beside busy programs, for seconds.  The pool
has a memory of its own for new results alone."""
ODD = (harmless.RecyclingPool, harmless.CompilesLater, harmless.SettlesLate, harmless.PlansByShape)


def name_of(odd: Any) -> str:
    return str(getattr(odd, "name", odd))


WAYS = [
    pytest.param(
        odd,
        direction,
        placement,
        marks=() if (direction, placement) in TRIED[name_of(odd)] else pytest.mark.daily,
        id=f"{name_of(odd)}-{direction}-{placement}",
    )
    for odd in (*ODD, *OWN)
    for direction in DIRECTIONS
    for placement in PLACEMENTS
]
"""The others once a day."""


@pytest.mark.usefixtures("busy")
@pytest.mark.parametrize(("odd", "direction", "placement"), WAYS)
def test_odd_but_right_is_not_accused(odd: Any, direction: str, placement: str) -> None:
    """Beside a program that takes its CPUs away."""
    case = Case("leaky_relu", direction, placement, n=10_000)
    if odd in OWN:
        backend: Any = (
            registry.load(odd) if registry.available()[odd] is None else pytest.skip(f"no {odd} here")
        )
        reason = backend.why_not(case)
        assert reason is None or pytest.skip(reason) is None
        assert problem_of(lambda: backend, case, plugin=False) is None
    else:
        assert odd in HARMLESS
        assert problem_of(odd, case) is None


def test_a_plugin_may_share_the_memory_of_some_arrays_only_if_of_all() -> None:
    class CopiesItsTarget(HonestNumpy):
        """Writes into a copy of `out`, to be copied back where nobody looks at the clock."""

        def compile(self, case: Any, x: Array, dy: Array | None, out: Array | None) -> base.Call:
            assert out is not None
            return super().compile(case, x, dy, out)

        def adopt(self, host: Array, case: Any) -> Array:
            self.adopted = getattr(self, "adopted", 0) + 1
            return host.copy() if self.adopted % 2 == 0 else host  # x, and then out

    assert "copies what it is given" in str(problem_of(CopiesItsTarget, FORWARD[1]))
