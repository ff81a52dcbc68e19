"""The guard waits for a quiet machine: for a bounded time, and not where that is in vain."""

from __future__ import annotations

import itertools
import subprocess
import sys
import time
from collections.abc import Iterable

import pytest

from bench import quiet
from bench.contention import Clock, ForeignUse
from bench.experiment import Limits, run
from bench.plan import Arm, Experiment
from bench.pool import InlinePool
from bench.quiet import Guard, runnable
from kernels.api import Case
from tests.running import wait_until


def _running(monkeypatch: pytest.MonkeyPatch, counts: Iterable[int | None]) -> None:
    told = iter(counts)
    monkeypatch.setattr(quiet, "runnable", lambda: next(told))


@pytest.mark.skipif(sys.platform != "linux", reason="told by Linux only")
def test_runnable_counts_what_is_busy() -> None:
    command = [sys.executable, "-c", "while True: pass"]
    busy = [subprocess.Popen(command) for _ in range(3)]
    try:
        wait_until(lambda: (runnable() or 0) >= 4, "three busy processes and this one")
    finally:
        for process in busy:
            process.kill()
            process.wait()


def test_waits_until_the_others_have_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    told = iter([3, 3, 2, 1])
    monkeypatch.setattr(quiet, "runnable", lambda: next(told))
    guard = Guard(Clock(), 1.0)
    guard.wait()
    assert next(told, "nobody asked again") == "nobody asked again"
    assert 0 < guard.lost_s < 0.75
    assert guard.patient


def test_gives_up_where_others_never_end(monkeypatch: pytest.MonkeyPatch) -> None:
    _running(monkeypatch, itertools.repeat(2))
    guard = Guard(Clock(), 60.0)
    guard.alarm()
    for _ in range(2):
        assert guard.alarmed
        guard.wait()
    assert not guard.alarmed
    lost_s = guard.lost_s
    guard.wait()
    assert guard.lost_s == lost_s


def test_waits_no_longer_than_it_is_allowed(monkeypatch: pytest.MonkeyPatch) -> None:
    _running(monkeypatch, itertools.cycle([2, 2, 1]))
    guard = Guard(Clock(), 0.01)
    for _ in range(100):
        guard.wait()
    assert not guard.patient
    assert guard.extra_s == 0.01


def test_an_alarm_ends_after_some_quiet_rounds() -> None:
    guard = Guard(Clock(), 1.0)
    guard.alarm()
    rounds = 0
    while guard.alarmed:
        guard.after_round(foreign=False)
        rounds += 1
    assert rounds == 4
    guard.after_round(foreign=True)
    assert guard.alarmed


def test_without_a_load_average_the_machines_time_is_looked_at(monkeypatch: pytest.MonkeyPatch) -> None:
    _running(monkeypatch, itertools.repeat(None))
    seen = iter([True, True, True, False])
    windows = []

    def window(_clock: Clock) -> ForeignUse:
        windows.append(1)
        return ForeignUse(0.1, 0.1 if len(windows) % 2 == 0 and next(seen) else 0.0)

    monkeypatch.setattr(Clock, "window", window)
    guard = Guard(Clock(), 5.0)
    guard.wait()
    assert next(seen, None) is None
    assert guard.patient


@pytest.mark.parametrize("guard", [True, False])
def test_beside_others_without_end_an_experiment_still_ends(
    monkeypatch: pytest.MonkeyPatch, guard: bool
) -> None:
    _running(monkeypatch, itertools.repeat(2))
    monkeypatch.setattr(Clock, "window", lambda _: ForeignUse(1.0, 1.0))
    arms = (Arm("numpy_ufunc", "baseline"), Arm("numpy_ufunc", "twin"))
    limits = Limits(0.5, 0.002, 0.0, 1e-9, min_rounds=3, max_rounds=10_000, guard=guard)
    begin = time.monotonic()
    states = run(Experiment(Case("relu", n=64), arms), InlinePool({}), limits, seed=1)
    took_s = time.monotonic() - begin
    for state in states:
        rounds = state.by_round()
        assert len(rounds) >= 3
        assert state.contended >= len(rounds)  # all were disturbed, and all is counted
    repeated = sum(len(state.batches) - len(state.by_round()) for state in states)
    assert (repeated > 0) is guard
    assert took_s > 0.5
