"""An arm that works in threads is stopped between its batches: its pool spins, and other arms are measured then."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import psutil
import pytest

from bench.machine import pausing
from bench.machine.cpu_speed import Reading
from bench.machine.environment import usable_cpus
from bench.machine.pausing import CAN_PAUSE
from bench.messages import Finish, Prepare, Probe, Sample, TimeBatch
from bench.plan.experiments import Arm, Experiment
from bench.run.experiment import Limits, Visit, run
from bench.run.process import ArmError
from bench.run.process_pool import ProcessPool
from kernels.api import Case
from tests.scripted import FakePool, FakeSurroundings
from tests.waiting import states_once_stopped

_CASE = Case("relu", placement="out", n=1 << 15)
_PARALLEL = Arm("numba_parallel")


@pytest.fixture
def pool() -> Iterator[ProcessPool]:
    made = ProcessPool({}, cell_timeout=120)
    yield made
    made.close()


@pytest.mark.skipif(not CAN_PAUSE or usable_cpus() < 2, reason="nobody pauses, or nobody works in threads")
def test_a_pool_that_spins_has_no_cpu_once_its_arm_has_answered(pool: ProcessPool) -> None:
    pool.open([_PARALLEL], 0)
    pool.call(_PARALLEL, Prepare(_CASE))
    pool.call(_PARALLEL, Probe(0.001))
    for turn in range(4):
        sample = pool.call(_PARALLEL, TimeBatch(200, 0.0, turn, pauses=pool.pauses))
        assert sample.in_threads
        assert sample.pauses
        pool.pause(_PARALLEL)
        states = states_once_stopped(pool.pid(_PARALLEL))
        assert len(states) > 1
        assert set(states) == {psutil.STATUS_STOPPED}
    assert pool.call(_PARALLEL, Finish()).problem is None


@pytest.mark.skipif(not CAN_PAUSE, reason="nobody pauses on this system")
def test_who_says_that_it_stops_and_goes_on_is_not_believed(
    pool: ProcessPool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pausing, "PAUSES_WITHIN_S", 0.05)
    arm = Arm("numpy_ufunc")
    pool.open([arm], 0)
    with pytest.raises(ArmError, match="mistrusted: says that it stops"):
        pool.pause(arm)
    assert not isinstance(pool.open([arm], 0)[arm], ArmError)


class _Looking(FakeSurroundings):
    """Its two CPUs get slower with each look."""

    looks = 0

    def each_cpu(self) -> tuple[Reading, ...]:
        self.looks += 1
        return (0, 1e-5), (1, 1e-5 * self.looks)


def test_who_works_in_threads_is_paused_and_as_slow_as_its_slowest_cpu() -> None:
    around, serial = _Looking(), Arm("a", "baseline")

    def change(_number: int, sample: Sample) -> Sample:
        return replace(
            sample,
            in_threads=arms.asked == _PARALLEL,
            pauses=arms.asked == _PARALLEL,
            pace=(((0, 3e-6),),) * 2,
        )

    arms = FakePool(around, change)
    experiment = Experiment(Case("relu", n=64), (serial, _PARALLEL))
    limits = Limits(5.0, 0.002, 0.0005, max_rounds=3)
    states = run(experiment, arms, limits, 1, around, visit=Visit.alone(experiment)).states
    alone, threaded = states
    assert {batch.cpu_reading_s for batch in alone.batches} == {3e-6}
    # one look after the first batch, then one before and one after each: it is known by then
    assert [batch.cpu_reading_s for batch in threaded.batches] == pytest.approx([1e-5, 2.5e-5, 4.5e-5])
    assert arms.paused == [_PARALLEL] * len(threaded.batches)
