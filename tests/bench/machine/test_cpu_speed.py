"""How fast the CPUs are is read beside each batch, on those CPUs that the arm uses."""

from __future__ import annotations

import math
import os
import threading
from collections.abc import Callable, Collection

import pytest

from bench.arm.server import ArmServer
from bench.machine import cpu_speed
from bench.machine.clocks import cpu_clock
from bench.machine.cpu_speed import LOOK_EVERY, EachCpu, Pace, arithmetic_s
from kernels import registry
from kernels.api import Case

_CPUS = os.sched_getaffinity(0) if hasattr(os, "sched_getaffinity") else {0}
_FEW_CPUS = pytest.mark.skipif(
    not 1 < len(_CPUS) <= 4, reason="other CPUs are looked at where there are two to four"
)


@_FEW_CPUS
def test_each_cpu_is_looked_at(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cpu_speed, "arithmetic_s", lambda: float(next(iter(os.sched_getaffinity(0)))))
    each = EachCpu()
    for _ in range(2):
        assert each.look() == tuple((cpu, float(cpu)) for cpu in _CPUS)
    assert os.sched_getaffinity(0) == _CPUS


@_FEW_CPUS
def test_one_thread_begins_on_the_cpu_whose_turn_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    moves: list[set[int]] = []
    move = os.sched_setaffinity

    def moved(pid: int, cpus: Collection[int]) -> None:
        moves.append(set(cpus))
        move(pid, cpus)

    monkeypatch.setattr(os, "sched_setaffinity", moved)
    for turn in range(2 * len(_CPUS)):
        Pace().begin(turn)
    assert moves[::2] == [{cpu} for cpu in sorted(_CPUS)] * 2
    assert moves[1::2] == [set(_CPUS)] * 2 * len(_CPUS)


@_FEW_CPUS
def test_beside_other_threads_it_stays(monkeypatch: pytest.MonkeyPatch) -> None:
    moves: list[object] = []
    monkeypatch.setattr(os, "sched_setaffinity", lambda *to: moves.append(to))
    watched = Pace()
    watched.in_threads = True
    watched.begin(0)
    assert len(watched.taken()) == 1
    assert not moves


def test_between_the_parts_of_a_batch_who_works_in_one_thread_alone_is_looked_at() -> None:
    """Threads of a pool spin there, and a look would have them do so for longer than usual."""
    watched = Pace()
    watched.look_within()
    assert len(watched.taken()) == 1
    watched.in_threads = True
    watched.look_within()
    assert watched.taken() == ()


@_FEW_CPUS
def test_where_a_thread_was_put_it_stays() -> None:
    watched = Pace()
    try:
        for cpu in _CPUS:
            os.sched_setaffinity(0, {cpu})
            watched.begin(1 - cpu % 2)
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


@pytest.mark.parametrize(("work", "in_threads"), [(_busy, False), (_busy_elsewhere, True)])
def test_who_works_in_other_threads_is_seen(work: Callable[[float], None], in_threads: bool) -> None:
    watched = Pace()
    watched.in_threads = not in_threads
    watched.learn(lambda: work(0.05))
    assert watched.in_threads is in_threads


def test_arithmetic_takes_longer_where_there_is_more_of_it(monkeypatch: pytest.MonkeyPatch) -> None:
    usual = min(arithmetic_s() for _ in range(20))
    monkeypatch.setattr(cpu_speed, "_STEPS", 20 * cpu_speed._STEPS)
    assert min(arithmetic_s() for _ in range(20)) > 5 * usual


@pytest.mark.parametrize(("iterations", "looks"), [(1, 2), (4, 2), (8, 3), (1000, 3)])
def test_a_batch_is_looked_at_from_end_to_end(iterations: int, looks: int) -> None:
    server = ArmServer(lambda: registry.load("numpy_ufunc"), 1, 1 << 20)
    server.load()
    server.prepare(Case("relu", placement="out", n=64))
    sample = server.batch(iterations, 0.0)
    assert len(sample.pace) == looks == math.ceil(len(sample.parts) / LOOK_EVERY) + 1
