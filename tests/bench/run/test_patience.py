"""A time-out ends what hangs, and not what others keep from its work; memory that is gone has a status of its own."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import psutil
import pytest

from bench.run import patience as room
from bench.run.patience import Patience
from tests.running import wait_until

SPINS = "while True: pass"
SLEEPS = "import time; time.sleep(600)"


@contextmanager
def child(program: str, cpu: int | None = None) -> Iterator[int]:
    started = subprocess.Popen([sys.executable, "-c", program])
    try:
        if cpu is not None:
            os.sched_setaffinity(started.pid, {cpu})
        yield started.pid
    finally:
        started.kill()
        started.wait()


def outcome(patience: Patience) -> tuple[str, str]:
    while (over := patience.is_over()) is None:
        time.sleep(min(patience.seconds, 0.1))
    return over


def test_who_sleeps_gets_the_seconds_allowed() -> None:
    with child(SLEEPS) as pid:
        patience = Patience(pid, "prepare", 1.2)
        before = patience.deadline
        assert outcome(patience) == ("timeout", "no answer to 'prepare' within --cell-timeout")
        assert patience.deadline == before


@pytest.mark.skipif(
    not Path("/proc/self/schedstat").exists(), reason="this system does not tell who waits for a CPU"
)
def test_who_waits_for_a_cpu_gets_more_but_not_for_ever() -> None:
    cpu = min(os.sched_getaffinity(0))
    with ExitStack() as stack:
        pids = [stack.enter_context(child(SPINS, cpu)) for _ in range(3)]
        patience = Patience(pids[0], "prepare", 1.3)
        before = patience.deadline
        assert outcome(patience)[0] == "timeout"
        assert before < patience.deadline <= before + 4 * 1.3


def test_seconds_in_which_we_were_stopped_ourselves_do_not_count() -> None:
    patience = Patience(os.getpid(), "prepare", 0.1)
    time.sleep(0.1 + 1.1)  # as by SIGSTOP: nobody has looked
    assert patience.is_over() is None


def test_who_is_stopped_is_told_to_go_on_once_and_then_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(room, "_LOOK_EVERY_S", 0.05)
    with child(SLEEPS) as pid:
        process, patience = psutil.Process(pid), Patience(pid, "prepare", 60)
        process.suspend()
        wait_until(lambda: process.status() == psutil.STATUS_STOPPED, "the process to stop")
        wait_until(
            lambda: patience.is_over() is None and process.status() != psutil.STATUS_STOPPED, "it to go on"
        )
        process.suspend()
        assert outcome(patience) == (
            "crashed",
            "was stopped in 'prepare', and again after it had been told to go on",
        )


def test_who_has_the_memory_when_it_is_gone_is_ended_as_out_of_memory(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    patience = Patience(os.getpid(), "prepare", 60)
    monkeypatch.setattr(room, "_MOST_OF_IT", 1e-6)
    monkeypatch.setattr(patience, "_next", 0.0)
    assert patience.is_over() is None
    monkeypatch.setattr(room, "_HARDLY_ANY", 2.0)  # so that all that is free is hardly any
    monkeypatch.setattr(room, "SPARE", 1 << 60)
    monkeypatch.setattr(patience, "_next", 0.0)
    over = patience.is_over()
    assert over is not None
    assert over[0] == "oom"
    assert "of memory when only" in over[1]
