"""A process that pauses leaves all CPUs to others, whatever its other threads do, and goes on where it was."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator

import psutil
import pytest

from bench.machine.pausing import CAN_PAUSE, PAUSES_WITHIN_S, continues, has_paused
from tests.waiting import states_once_stopped

pytestmark = pytest.mark.skipif(not CAN_PAUSE, reason="nobody pauses on this system")

_SPINS = """
import os, sys, threading
from bench.machine.pausing import pause
def spin():
    while True: pass
threading.Thread(target=spin, daemon=True).start()
for turn, line in enumerate(sys.stdin):
    print(turn, sorted(os.sched_getaffinity(0)), flush=True)
    if line == "pause\\n":
        pause()
"""
_ENDED = """
import os, signal, subprocess, sys
from bench.run.guardian import _has_ended
child = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
for number, flag in ((signal.SIGSTOP, os.WSTOPPED), (signal.SIGCONT, os.WCONTINUED)):
    child.send_signal(number)
    os.waitid(os.P_PID, child.pid, flag | os.WNOWAIT)
    assert not _has_ended(), number
child.kill()
os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)
assert _has_ended()
"""


@pytest.fixture
def spinning() -> Iterator[subprocess.Popen[str]]:
    """A process one thread of which never rests; it answers each line, and pauses after ``pause``."""
    command = [sys.executable, "-c", _SPINS]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        yield process
        process.kill()


def _told(process: subprocess.Popen[str], word: str) -> str:
    assert process.stdin is not None
    assert process.stdout is not None
    process.stdin.write(f"{word}\n")
    process.stdin.flush()
    continues(process.pid)
    return process.stdout.readline()


def test_no_thread_of_a_paused_process_runs(spinning: subprocess.Popen[str]) -> None:
    for turn in range(3):
        number, cpus = _told(spinning, "pause").split(maxsplit=1)
        assert int(number) == turn
        assert cpus.strip() == str(sorted(psutil.Process().cpu_affinity() or ()))
        assert has_paused(spinning.pid, PAUSES_WITHIN_S)
        assert states_once_stopped(spinning.pid) == [psutil.STATUS_STOPPED] * 2


def test_it_is_not_waited_for_who_has_ended(spinning: subprocess.Popen[str]) -> None:
    spinning.kill()
    spinning.wait()
    assert has_paused(spinning.pid, PAUSES_WITHIN_S)
    continues(spinning.pid)


def test_who_goes_on_is_told_of_and_not_stopped(spinning: subprocess.Popen[str]) -> None:
    """Stopped from outside it would stop itself once more when it is continued, and answer nobody."""
    for turn in range(2):
        assert _told(spinning, "go on").startswith(f"{turn} ")
        assert not has_paused(spinning.pid, within_s=0.05)


def test_who_only_stops_or_goes_on_has_not_ended() -> None:
    """The guardian looks through all processes once a child has ended: for milliseconds, beside what is timed."""
    subprocess.run([sys.executable, "-c", _ENDED], check=True, timeout=60)
