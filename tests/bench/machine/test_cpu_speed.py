"""Parts of a batch that a slow CPU had do not count; a batch without any other is measured again."""

from __future__ import annotations

import itertools
import math
import os
import threading
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from statistics import median

import numpy as np
import pytest

from bench.arm.server import ArmServer
from bench.machine import cpu_speed
from bench.machine.clocks import cpu_clock
from bench.machine.cpu_speed import LOOK_EVERY, SLOW, Pace, Readings, arithmetic_s
from bench.messages import Sample
from bench.plan.experiments import Arm, Experiment
from bench.run.arm_state import ArmState
from bench.run.experiment import Limits, run
from bench.run.usual_speed import Usual
from kernels import registry
from kernels.api import Case
from tests.scripted import NEVER, FakePool, FakeSurroundings

_CPUS = os.sched_getaffinity(0) if hasattr(os, "sched_getaffinity") else {0}
_FEW_CPUS = pytest.mark.skipif(
    not 1 < len(_CPUS) <= 4, reason="other CPUs are looked at where there are two to four"
)


_THIS, _OTHER = 11, 22  # process ids
ONE_CPU = 0


def _on(cpu: int, *readings: float) -> Readings:
    return tuple(((cpu, reading),) for reading in readings)


def _fast(usual: Usual, process: int, readings: Readings, parts: int = 8) -> list[bool]:
    return [times <= SLOW for times in usual.times(process, readings, parts)]


@pytest.mark.parametrize(
    ("readings", "parts", "times"),
    [
        ((1.0, 1.0, 1.0, 1.0, 1.0), 8, [1.0] * 8),
        ((1.2, 1.2, 1.2, 1.2, 1.2), 8, [1.2] * 8),
        ((1.0, 1.0, 1.7, 1.0, 1.0), 8, [1.0] * 2 + [1.7] * 4 + [1.0] * 2),
        ((1.7, 1.0, 1.0, 1.7, 1.8), 8, [1.7] * 2 + [1.0] * 2 + [1.7] * 2 + [1.8] * 2),
        ((1.0, 1.0, 1.7), 3, [1.0, 1.0, 1.7]),
        ((1.7, 1.0), 1, [1.7]),
        ((), 3, [1.0] * 3),
    ],
)
def test_parts_beside_a_slow_look_are_told(
    readings: tuple[float, ...], parts: int, times: list[float]
) -> None:
    usual = Usual()
    assert usual.times(_THIS, _on(ONE_CPU, *[1.0] * 5), 8) == [1.0] * 8
    assert usual.times(_THIS, _on(ONE_CPU, *readings), parts) == times


def test_there_may_be_a_look_after_each_part() -> None:
    usual = Usual()
    assert usual.times(_THIS, _on(ONE_CPU, 1.0, 1.0, 1.7, 1.0, 1.0), 4, every=1) == [1.0, 1.7, 1.7, 1.0]


def test_the_slowest_cpu_of_those_that_matter_counts() -> None:
    usual = Usual()
    both = ((0, 1.0), (1, 2.0))  # CPU 1 takes longer by nature
    usual.times(_THIS, (both,) * 5, 8)
    assert usual.times(_THIS, (both, both), 2) == [1.0] * 2
    assert usual.times(_THIS, (both, ((0, 1.0), (1, 3.0))), 2) == [1.5] * 2


def test_what_is_usual_is_known_from_the_other_arms() -> None:
    usual = Usual()
    usual.times(_THIS, _on(ONE_CPU, 1.0, *[1.7] * 4), 8)
    for _ in range(10):
        usual.times(_OTHER, _on(ONE_CPU, *[1.0] * 5), 8)
    assert not any(_fast(usual, _THIS, _on(ONE_CPU, *[1.7] * 5)))


def test_a_process_that_is_slower_by_nature_is_compared_with_itself() -> None:
    usual = Usual()
    for _ in range(10):
        usual.times(_OTHER, _on(ONE_CPU, *[1.0] * 5), 8)
    assert all(_fast(usual, _THIS, _on(ONE_CPU, *[1.7] * 5)))
    assert not any(_fast(usual, _THIS, _on(ONE_CPU, *[2.5] * 5)))


def test_a_machine_that_stays_slow_is_soon_what_is_usual() -> None:
    usual = Usual()
    for process in (_THIS, _OTHER):
        for _ in range(30):
            usual.times(process, _on(ONE_CPU, *[1.0] * 5), 8)
    told = [_fast(usual, _OTHER, _on(ONE_CPU, *[1.7] * 5)) for _ in range(250)]
    assert not any(told[0])
    assert all(told[-1])


@_FEW_CPUS
def test_everywhere_each_cpu_is_looked_at(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cpu_speed, "arithmetic_s", lambda: float(next(iter(os.sched_getaffinity(0)))))
    watched = Pace()
    watched.everywhere = True
    watched.begin()
    watched.look()
    assert watched.taken() == (tuple((cpu, float(cpu)) for cpu in _CPUS),) * 2
    assert watched.taken() == ()
    assert os.sched_getaffinity(0) == _CPUS


@_FEW_CPUS
@pytest.mark.parametrize("fastest", sorted(_CPUS))
def test_one_thread_begins_where_it_is_fastest(monkeypatch: pytest.MonkeyPatch, fastest: int) -> None:
    asked: list[set[int]] = []

    def told() -> float:
        asked.append(os.sched_getaffinity(0))
        return 1.0 if asked[-1] == {fastest} else 2.0

    monkeypatch.setattr(cpu_speed, "arithmetic_s", told)
    moves: list[set[int]] = []
    move = os.sched_setaffinity

    def moved(pid: int, cpus: set[int]) -> None:
        moves.append(set(cpus))
        move(pid, cpus)

    monkeypatch.setattr(os, "sched_setaffinity", moved)
    Pace().begin()
    assert asked == [*({cpu} for cpu in _CPUS), _CPUS]
    assert moves[-2:] == [{fastest}, _CPUS]


@_FEW_CPUS
def test_beside_other_threads_it_stays(monkeypatch: pytest.MonkeyPatch) -> None:
    callers = set()
    monkeypatch.setattr(os, "sched_setaffinity", lambda *_: callers.add(threading.get_ident()))
    watched = Pace()
    watched.everywhere = True
    watched.begin()
    assert len(watched.taken()[0]) == len(_CPUS)
    assert threading.get_ident() not in callers


@_FEW_CPUS
def test_where_a_thread_was_put_it_stays() -> None:
    watched = Pace()
    try:
        for cpu in _CPUS:
            os.sched_setaffinity(0, {cpu})
            watched.begin()
            assert os.sched_getaffinity(0) == {cpu}
            assert [where for look in watched.taken() for where, _ in look] == [cpu]
    finally:
        os.sched_setaffinity(0, _CPUS)


def _busy(seconds: float) -> None:
    end = cpu_clock() + seconds
    while cpu_clock() < end:
        pass


def _busy_elsewhere(seconds: float) -> None:
    thread = threading.Thread(target=_busy, args=(seconds,))
    thread.start()
    thread.join()


@pytest.mark.parametrize(("work", "everywhere"), [(_busy, False), (_busy_elsewhere, True)])
def test_who_works_in_other_threads_is_seen(work: Callable[[float], None], everywhere: bool) -> None:
    watched = Pace()
    watched.everywhere = not everywhere
    watched.learn(lambda: work(0.05))
    assert watched.everywhere is everywhere


def test_arithmetic_takes_longer_where_there_is_more_of_it(monkeypatch: pytest.MonkeyPatch) -> None:
    usual = min(arithmetic_s() for _ in range(20))
    monkeypatch.setattr(cpu_speed, "_STEPS", 20 * cpu_speed._STEPS)
    assert min(arithmetic_s() for _ in range(20)) > 5 * usual


@pytest.mark.parametrize(("iterations", "looks"), [(1, 2), (4, 3), (8, 5), (1000, 5)])
def test_a_batch_is_looked_at_from_end_to_end(iterations: int, looks: int) -> None:
    server = ArmServer(lambda: registry.load("numpy_ufunc"), 1, 1 << 20)
    server.load()
    server.prepare(Case("relu", placement="out", n=64))
    sample = server.batch(iterations, 0.0)
    assert len(sample.pace) == looks == math.ceil(len(sample.parts) / LOOK_EVERY) + 1


class ToldUsual(Usual):
    """Tells of each batch how much longer the arithmetic took in its parts."""

    def __init__(self, told: Iterable[list[float]]) -> None:
        super().__init__()
        self._told = iter(told)

    def times(self, process: int, readings: Readings, parts: int, every: int = LOOK_EVERY) -> list[float]:
        return next(self._told)


def _measured(
    times: Iterable[list[float]], *, guard: bool
) -> tuple[Sequence[ArmState], list[tuple[Arm, Sample]]]:
    """Two arms in five rounds, the arithmetic `times` as long in the 8 parts of each batch; their states, and whose
    batches they were."""

    def change(number: int, sample: Sample) -> Sample:
        parts = tuple(1e-5 * (1 + 0.01 * number + 0.001 * part) for part in range(8))
        return replace(sample, parts=parts, seconds=sum(parts) / 8)

    around = FakeSurroundings()
    pool = FakePool(around, change, usual=ToldUsual(times))
    arms = (Arm("a", "baseline"), Arm("a", "twin"))
    limits = Limits(60.0, 0.002, 0.0, NEVER, min_rounds=5, max_rounds=5, guard=guard)
    states = run(Experiment(Case("relu", n=64), arms), pool, limits, 1, around).states
    return states, pool.batches


_FAST, _SLOW = [1.0] * 8, [2.0] * 8


def test_a_slow_batch_is_measured_again_after_the_others() -> None:
    states, batches = _measured(itertools.chain([_SLOW], itertools.repeat(_FAST)), guard=True)
    assert batches[0][0] == batches[2][0] != batches[1][0]
    assert len(batches) == 11
    (slow,) = (state for state in states if state.contended)
    assert [batch.contended for batch in slow.batches] == [True] + [False] * 5
    assert [batch.round for batch in slow.batches] == [0, 0, 1, 2, 3, 4]
    assert slow.samples()[0] == slow.batches[1].seconds
    assert slow.batches[0].order == slow.batches[1].order


def test_parts_on_a_slow_cpu_do_not_count() -> None:
    times = [2.0] * 3 + [0.9, 1.0, 1.2] + [1.5] * 2
    states, batches = _measured(itertools.repeat(times), guard=True)
    assert not any(state.contended for state in states)
    told = [batch for state in states for batch in state.batches]
    assert sorted(batch.seconds for batch in told) == sorted(median(each.parts[3:6]) for _, each in batches)
    means = [np.mean(each.parts / np.maximum(times, 1.0)) for _, each in batches]
    assert sorted(batch.mean_s for batch in told) == pytest.approx(sorted(means))


@pytest.mark.parametrize(("guard", "batches"), [(True, 25), (False, 5)])
def test_cpus_that_stay_slow_are_counted_and_not_waited_for(guard: bool, batches: int) -> None:
    states, _ = _measured(itertools.repeat(_SLOW), guard=guard)
    for state in states:
        assert len(state.batches) == state.contended == batches
        assert len(state.samples()) == 5
        assert {batch.slow for batch in state.batches} == {True}
