"""Who used the machine: the CPU time of our own processes is taken off, from the first round on."""

from __future__ import annotations

import hashlib
import subprocess
import sys
import threading
from collections.abc import Iterator

import psutil
import pytest

from bench.machine.clocks import clock
from bench.machine.foreign_load import Clock, ForeignUse
from bench.machine.own_usage import at_rest
from tests.running import wait_until

pytestmark = pytest.mark.slow

_BUSY = "while True: pass"


@pytest.fixture
def busy() -> Iterator[psutil.Process]:
    with subprocess.Popen([sys.executable, "-c", _BUSY]) as process:
        yield psutil.Process(process.pid)
        process.kill()


def _used(process: psutil.Process) -> float:
    times = process.cpu_times()
    return float(times.user + times.system)


def test_what_one_of_ours_uses_is_not_foreign(busy: psutil.Process) -> None:
    wait_until(lambda: _used(busy) > 0.3, "the process is busy")
    ours, foreign = Clock([busy.pid]), Clock()
    begin = _used(busy)
    wait_until(lambda: _used(busy) > begin + 0.5, "it was busy for a while")
    used = _used(busy)
    ours.spent(busy.pid, used)
    seen, missed = foreign.window().cpu_s, ours.window().cpu_s
    assert seen > 0.4  # also what was going on besides
    assert seen - missed == pytest.approx(used - begin, abs=0.1)


def test_a_process_that_has_ended_is_no_error() -> None:
    with subprocess.Popen([sys.executable, "-c", ""]) as process:
        process.wait()
    assert Clock([process.pid]).window().wall_s >= 0


@pytest.mark.parametrize(
    ("wall_s", "cpu_s", "contended"), [(1.0, 0.5, True), (1.0, 0.1, False), (0.05, 0.02, False)]
)
def test_a_stray_tick_is_not_contention(wall_s: float, cpu_s: float, contended: bool) -> None:
    assert ForeignUse(wall_s, cpu_s).contended is contended


@pytest.mark.skipif(sys.platform != "linux", reason="a thread's state is told by Linux only")
def test_at_rest_waits_for_a_thread_that_runs() -> None:
    """pbkdf2 works without Python's lock, as a pool of OpenBLAS spins."""
    started, ended = threading.Event(), []

    def work() -> None:
        started.set()
        hashlib.pbkdf2_hmac("sha256", b"x" * 64, b"salt", 200_000)
        ended.append(clock())

    thread = threading.Thread(target=work)
    thread.start()
    started.wait()
    assert not at_rest(0.001)
    assert at_rest(30.0)
    returned = clock()
    thread.join()
    assert returned > ended[0] - 0.01
