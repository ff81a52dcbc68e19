"""A batch is timed in parts: a moment without a CPU is forgiven, an arm's own bursts of work are not."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from itertools import cycle, repeat
from statistics import median

import numpy as np
import pytest

from bench.arm import server as arm_server
from bench.arm.server import ArmServer
from bench.machine import own_usage
from bench.machine.clocks import clock, thread_clock
from bench.machine.surroundings import Surroundings
from bench.plan.experiments import Arm, Experiment
from bench.run.arm_state import ArmState, end_round
from bench.run.experiment import Limits, run
from bench.run.inline_pool import InlinePool
from kernels import registry
from kernels.api import Case
from tests.honest import HonestNumpy
from tests.states import batch

pytestmark = pytest.mark.slow

CASE = Case("relu", placement="out", n=64)


def _state(*, mean_s: float, waited_s: float) -> ArmState:
    """Ten batches, most parts of which took 1 s a call."""
    state = ArmState(Arm("any"))
    state.batches = [batch(i, 1.0, mean_s=mean_s, waited_s=waited_s * 10) for i in range(10)]
    return state


@pytest.mark.parametrize(
    ("mean_s", "waited_s", "counts"),
    [
        (1.0, 0.0, 1.0),
        (1.5, 0.45, 1.0),  # the rest of the batch was waiting for a CPU
        (1.5, 0.0, 1.5),  # nobody kept it from running: its own work, in bursts
        (2.5, 1.5, 1.0),
    ],
)
def test_what_waiting_does_not_explain_counts(mean_s: float, waited_s: float, counts: float) -> None:
    state = _state(mean_s=mean_s, waited_s=waited_s)
    assert {state.seconds(each) for each in state.batches} == {counts}
    assert state.mean_over_median == mean_s


def test_what_a_host_does_to_all_arms_of_a_kind_is_no_burst_of_one() -> None:
    """Equal arms are on one side of a threshold or the other by chance, where all are near it."""
    calm, near, over, far = (_state(mean_s=mean_s, waited_s=0.0) for mean_s in (1.0, 1.2, 1.3, 2.0))
    for company, found in (
        ((over, calm, calm), [True, False, False]),
        ((over, near, near), [False, False, False]),
        ((far, near, near), [True, False, False]),
        ((over, near), [True, False]),  # one other tells nothing of the host
    ):
        end_round(company)
        assert [state.in_bursts for state in company] == found


def test_how_an_arm_works_is_told_by_the_batches_that_there_are_now() -> None:
    """Whatever was asked before they came or went."""
    state = _state(mean_s=1.0, waited_s=0.0)
    first = state.batches[0]
    own, waits = (replace(first, mean_s=mean_s, in_threads=True) for mean_s in (1.5, 1.0))
    assert (state.in_bursts, state.is_parallel) == (False, False)
    for _ in range(11):
        state.batches.append(own)
    assert (state.in_bursts, state.is_parallel) == (True, True)
    state.batches = [*state.batches[10:-1], waits]
    assert (state.in_bursts, state.is_parallel) == (True, True)
    state.batches = [first]
    assert (state.in_bursts, state.is_parallel) == (False, False)
    state.batches = []
    assert (state.in_bursts, state.is_parallel) == (False, False)


@pytest.mark.parametrize("iterations", [1, 5, 8, 1001])
def test_parts_make_up_the_batch(iterations: int) -> None:
    server = ArmServer(lambda: registry.load("numpy_ufunc"), 1, 1 << 20)
    server.load()
    assert server.prepare(CASE).gate.problem is None
    sample = server.batch(iterations, 0.0)
    parts = len(sample.parts)
    assert parts == min(8, iterations)
    assert sample.iterations == iterations
    assert min(sample.parts) <= sample.seconds <= max(sample.parts)
    ends = [iterations * i // parts for i in range(parts + 1)]
    counts = np.diff(ends)
    assert np.dot(counts, sample.parts) == pytest.approx(sample.seconds * iterations)


class Bursts:
    """NumPy's relu that tidies up as long as 100,000 calls take, once in 4000 of them, of which a batch has more."""

    name = "bursts"

    def __init__(self) -> None:
        self._base = registry.load("numpy_ufunc")

    def __getattr__(self, name: str) -> object:
        return getattr(self._base, name)

    def compile(self, case: Case, x: np.ndarray, dy: None, out: np.ndarray) -> Callable[[], np.ndarray]:
        call = self._base.compile(case, x, dy, out)

        def tidying() -> np.ndarray:
            for _ in repeat(None, 100_000):
                call()
            return call()

        following = cycle([call] * 3999 + [tidying]).__next__
        return lambda: following()()  # noqa: PLW0108  # each call takes the next from the ring


class OwnTime(Surroundings):
    """A machine on which time goes by while this thread has a CPU."""

    def clock(self) -> float:
        return thread_clock()


@pytest.fixture
def own_time(monkeypatch: pytest.MonkeyPatch) -> OwnTime:
    """The same for an arm's server: however busy the machine is, nothing waits for a CPU."""
    monkeypatch.setattr(arm_server, "clock", thread_clock)
    monkeypatch.setattr(own_usage, "waited_s", lambda: 0.0)
    return OwnTime()


@pytest.mark.usefixtures("own_registry")
def test_a_backend_that_works_in_bursts_pays_for_them(own_time: OwnTime) -> None:
    pool = InlinePool({"bursts": "tests.bench.arm.test_parts:Bursts"})
    limits = Limits(seconds=0.2, batch_s=0.008, warm_s=0.0, max_rounds=8)
    arms = (Arm("numpy_ufunc", "baseline"), Arm("bursts"))
    base, bursts = run(Experiment(CASE, arms), pool, limits, 1, own_time).states
    pool.close()
    assert bursts.failure is None
    seconds = [median(state.seconds(each) for each in state.batches) for state in (base, bursts)]
    assert seconds[1] > 10 * seconds[0]
    assert (bursts.mean_over_median or 0.0) > 10


class Result(np.ndarray):
    """An array that takes a while to go, as one does whose memory is given back to the system."""

    took_s = 0.002

    def __del__(self) -> None:
        if self.base is not None and type(self.base) is not Result:
            until = clock() + self.took_s
            while clock() < until:
                pass


class SlowToGo(HonestNumpy):
    """Right, with such results."""

    def answer(self, case: Case, x: np.ndarray, dy: np.ndarray | None) -> np.ndarray:
        return super().answer(case, x, dy).view(Result)


@pytest.mark.parametrize("iterations", [1, 3, 8, 20])
def test_dropping_a_result_is_timed_in_every_part(iterations: int) -> None:
    """Until a result of 64 MiB is unmapped takes a quarter of the time that making it does."""
    server = ArmServer(SlowToGo, 1, 1 << 20)
    server.load()
    assert server.prepare(Case("relu", n=64)).gate.problem is None
    sample = server.batch(iterations, 0.0)
    assert min(sample.parts) >= Result.took_s
    dispatch_s = server.dispatch()
    assert dispatch_s is not None
    assert dispatch_s >= Result.took_s
