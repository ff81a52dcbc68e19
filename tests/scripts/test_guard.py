"""scripts/guard.py: its busy neighbours end with it, however it ends."""

from __future__ import annotations

import signal
import subprocess
import sys

import psutil
import pytest

from scripts.guard import _BUSY
from tests.running import wait_until

pytestmark = pytest.mark.slow

_PARENT = f"""
import subprocess, sys, time
print(subprocess.Popen([sys.executable, "-c", {_BUSY!r}]).pid, flush=True)
time.sleep(60)
"""


def _ended(process: psutil.Process) -> bool:
    try:
        return process.status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True


@pytest.mark.skipif(sys.platform == "win32", reason="a process keeps its parent's number there")
def test_busy_neighbours_end_with_a_script_that_is_killed() -> None:
    with subprocess.Popen([sys.executable, "-c", _PARENT], stdout=subprocess.PIPE, text=True) as parent:
        assert parent.stdout is not None
        busy = psutil.Process(int(parent.stdout.readline()))
        wait_until(lambda: busy.cpu_times().user > 0.05, "it is busy")
        parent.send_signal(signal.SIGKILL)
    wait_until(lambda: _ended(busy), "it has ended")
