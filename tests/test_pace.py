"""A batch that a slow CPU had is measured again, after the others of its round; a moment is forgiven."""

from __future__ import annotations

import itertools
import os
from collections.abc import Iterable

import pytest

from bench import pace
from bench.armstate import ArmState
from bench.experiment import Limits, run
from bench.pace import Pace, arithmetic_s
from bench.plan import Arm, Experiment
from bench.pool import InlinePool
from bench.station import Station
from kernels import registry
from kernels.api import Case

_CPUS = os.sched_getaffinity(0) if hasattr(os, "sched_getaffinity") else {0}
_FEW_CPUS = pytest.mark.skipif(
    not 1 < len(_CPUS) <= 4, reason="other CPUs are looked at where there are two to four"
)


def _of_batch(watched: Pace, monkeypatch: pytest.MonkeyPatch, readings: Iterable[float]) -> float:
    for reading in readings:
        monkeypatch.setattr(pace, "arithmetic_s", lambda reading=reading: reading)
        watched.look()
    return watched.of_batch()


@pytest.mark.parametrize(
    ("readings", "times"),
    [
        ([1.0] * 5, 1.0),
        ([1.0, 1.0, 1.7, 1.0, 1.0], 1.0),  # the median of the parts forgives it, too
        ([1.0, 1.0, 1.7, 1.7, 1.0], 1.7),
        ([1.7, 1.7, 1.7, 1.7, 1.7], 1.7),
        ([1.0, 1.7], 1.0),
        ([1.7], 1.7),
    ],
)
def test_half_a_batch_on_a_slow_cpu_is_told(
    monkeypatch: pytest.MonkeyPatch, readings: list[float], times: float
) -> None:
    watched = Pace()
    assert _of_batch(watched, monkeypatch, [1.0] * 5) == 1.0
    assert _of_batch(watched, monkeypatch, readings) == pytest.approx(times)


def test_a_machine_that_stays_slow_is_soon_what_is_usual(monkeypatch: pytest.MonkeyPatch) -> None:
    watched = Pace()
    for _ in range(30):
        _of_batch(watched, monkeypatch, [1.0] * 5)
    told = [_of_batch(watched, monkeypatch, [1.7] * 5) for _ in range(30)]
    assert told[0] == pytest.approx(1.7)
    assert told[-1] == 1.0


@_FEW_CPUS
def test_everywhere_the_slowest_cpu_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    slow = max(_CPUS)
    asked: list[set[int]] = []
    seconds = dict.fromkeys(_CPUS, 1.0)

    def told() -> float:
        asked.append(os.sched_getaffinity(0))
        return seconds[next(iter(asked[-1]))]

    monkeypatch.setattr(pace, "arithmetic_s", told)
    watched = Pace()
    watched.everywhere = True
    for factor in (1.0, 1.7):
        seconds[slow] = factor
        for _ in range(2):
            watched.look()
        assert watched.of_batch() == factor
    assert asked == [{cpu} for cpu in _CPUS] * 4
    assert os.sched_getaffinity(0) == _CPUS


def test_arithmetic_takes_longer_where_there_is_more_of_it(monkeypatch: pytest.MonkeyPatch) -> None:
    usual = min(arithmetic_s() for _ in range(20))
    monkeypatch.setattr(pace, "_STEPS", 20 * pace._STEPS)
    assert min(arithmetic_s() for _ in range(20)) > 5 * usual


@pytest.mark.parametrize(("iterations", "looks"), [(1, 2), (4, 3), (8, 5), (1000, 5)])
def test_a_batch_is_looked_at_from_end_to_end(
    monkeypatch: pytest.MonkeyPatch, iterations: int, looks: int
) -> None:
    readings = []
    monkeypatch.setattr(pace, "arithmetic_s", lambda: readings.append(1) or 1.0)
    station = Station(lambda: registry.load("numpy_ufunc"), 1, 1 << 20)
    station.load()
    station.prepare(Case("relu", placement="out", n=64))
    readings.clear()
    assert station.batch(iterations, 0.0).pace == 1.0
    assert len(readings) == looks


def _measured(
    monkeypatch: pytest.MonkeyPatch, paces: Iterable[float], *, guard: bool
) -> tuple[list[ArmState], list[int]]:
    """Two arms in five rounds; their states, and whose batches were measured, in that order."""
    told, order = iter(paces), list[int]()

    def of_batch(watched: Pace) -> float:
        order.append(id(watched))
        return next(told)

    monkeypatch.setattr(Pace, "of_batch", of_batch)
    monkeypatch.setattr("bench.rounds.starved", lambda *_: False)
    monkeypatch.setattr("bench.contention.ForeignUse.contended", False)
    arms = (Arm("numpy_ufunc", "baseline"), Arm("numpy_ufunc", "twin"))
    limits = Limits(60.0, 0.002, 0.0, 1e-9, min_rounds=5, max_rounds=5, guard=guard)
    return run(Experiment(Case("relu", n=64), arms), InlinePool({}), limits, seed=1), order


def test_a_slow_batch_is_measured_again_after_the_others(monkeypatch: pytest.MonkeyPatch) -> None:
    states, order = _measured(monkeypatch, itertools.chain([2.0], itertools.repeat(1.0)), guard=True)
    assert order[0] == order[2] != order[1]
    assert len(order) == 11
    (slow,) = (state for state in states if state.contended)
    assert [batch.contended for batch in slow.batches] == [True] + [False] * 5
    assert [batch.round for batch in slow.batches] == [0, 0, 1, 2, 3, 4]
    assert slow.samples()[0] == slow.batches[1].seconds
    assert slow.batches[0].order == slow.batches[1].order


@pytest.mark.parametrize(("guard", "batches"), [(True, 25), (False, 5)])
def test_cpus_that_stay_slow_are_counted_and_not_waited_for(
    monkeypatch: pytest.MonkeyPatch, guard: bool, batches: int
) -> None:
    states, _ = _measured(monkeypatch, itertools.repeat(2.0), guard=guard)
    for state in states:
        assert len(state.batches) == state.contended == batches
        assert len(state.samples()) == 5
