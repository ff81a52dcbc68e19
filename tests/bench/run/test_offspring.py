"""What an arm leaves running is ended; what the host itself started is not, whenever it did."""

from __future__ import annotations

import sys

import pytest

from tests.running import python

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="orphans are adopted on Linux")

PROGRAM = """
    import subprocess, sys, time, psutil
    from bench.run import offspring

    LEAVES = "import subprocess, sys; print(subprocess.Popen(['sleep', '100'], start_new_session=True).pid, flush=True)"

    def server():
        return subprocess.Popen(["sleep", "100"], start_new_session=True)

    def arm():
        words = [sys.executable, "-c", LEAVES]
        made = subprocess.Popen(words, stdout=subprocess.PIPE, text=True, start_new_session=True)
        offspring.started(made.pid)
        left = int(made.stdout.readline())
        made.wait()
        offspring.ended(made.pid)
        offspring.end_strays()
        return psutil.pid_exists(left) and psutil.Process(left).status() != psutil.STATUS_ZOMBIE

    one = server()
    left = [arm()]
    two = server()
    left.append(arm())
    print(left, one.poll(), two.poll())
    one.kill(), two.kill()
"""


def test_arms_leave_nothing_and_the_hosts_own_children_live() -> None:
    done = python(PROGRAM)
    assert done.stdout.strip() == "[False, False] None None", done.stdout + done.stderr
