"""Of the children of a run nothing is left, however the run ends; what the host itself started is none of ours."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest

from bench.run import guardian
from tests.leaving import LEFT
from tests.running import ROOT, ended, python, wait_until

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="orphans are adopted on Linux")

CHILD = f"""
import os, sys, time
from pathlib import Path
from bench.run.process import ChildProcess

def leaver(file):
    child = ChildProcess("tests.leaving", {{"{LEFT}": file}})
    while not Path(file).exists():
        time.sleep(0.01)
    return child, [int(pid) for pid in Path(file).read_text().split()]

"""
WAITS = CHILD + "child, pids = leaver(sys.argv[1])\nprint('there', flush=True)\ntime.sleep(600)\n"
HOSTS = """
import psutil, subprocess

def lives(pid):
    return psutil.pid_exists(pid) and psutil.Process(pid).status() != psutil.STATUS_ZOMBIE

def server():
    return subprocess.Popen(["sleep", "100"], start_new_session=True)

servers = [server()]
left = []
for number in range(2):
    child, pids = leaver(f"{os.environ['FOLDER']}/{number}")
    left += pids
    child.close()
    servers.append(server())
print([lives(pid) for pid in left], [each.poll() for each in servers])
for each in servers:  # all of them: each holds the pipe open that is read to its end
    each.kill()
"""
SENT = [signal.SIGHUP, signal.SIGINT, signal.SIGTERM, signal.SIGTSTP, signal.SIGUSR1, signal.SIGRTMIN]
"""By arms to their parent."""
LOST = f"""
import psutil
from bench.run.process import ArmError
from bench.messages import Trim

child, pids = leaver(os.environ["FOLDER"] + "/0")
(guardian,) = psutil.Process().children()
for number in {list(map(int, SENT))}:
    guardian.send_signal(number)
other, pids = leaver(os.environ["FOLDER"] + "/2")
print(child.alive, other.alive)
guardian.suspend()
other.close()
other, pids = leaver(os.environ["FOLDER"] + "/3")
print(other.alive)
guardian.kill()
guardian.wait()
try:
    child.call(Trim(), seconds=60)
except ArmError as error:
    print(error)
child.close()
again, pids = leaver(os.environ["FOLDER"] + "/1")
print(again.alive)
again.close()
print(again.alive)
psutil.Process().children()[0].suspend()
"""


@pytest.fixture
def waiting(tmp_path: Path) -> Iterator[tuple[subprocess.Popen[str], list[psutil.Process]]]:
    """A process with a child, the child, and what it has left."""
    process = subprocess.Popen(
        [sys.executable, "-c", WAITS, str(tmp_path / "pids")], cwd=ROOT, stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "there\n"
    found = [psutil.Process(int(pid)) for pid in (tmp_path / "pids").read_text().split()]
    yield process, found
    process.kill()
    process.communicate()
    for each in found:
        if not ended(each):
            each.kill()


@pytest.mark.parametrize("end", [subprocess.Popen.kill, subprocess.Popen.terminate])
def test_nobody_outlives_a_process_that_is_killed(
    waiting: tuple[subprocess.Popen[str], list[psutil.Process]], end: Callable[[subprocess.Popen[str]], None]
) -> None:
    process, (child, left) = waiting
    assert os.getsid(left.pid) != os.getsid(child.pid)
    assert not ended(child)
    assert not ended(left)
    end(process)
    process.wait()
    wait_until(lambda: ended(child) and ended(left), "the child, and what it left, to end", 20)


def test_arms_leave_nothing_and_the_hosts_own_children_live(tmp_path: Path) -> None:
    done = python(CHILD + HOSTS, FOLDER=str(tmp_path))
    assert done.stdout.strip() == "[False, False, False, False] [None, None, None]", done.stdout + done.stderr


def test_a_process_that_ends_without_a_word_leaves_nothing(tmp_path: Path) -> None:
    done = python(CHILD + "print(*leaver(os.environ['FOLDER'] + '/0')[1])", FOLDER=str(tmp_path))
    assert done.returncode == 0, done.stderr
    pids = [int(pid) for pid in done.stdout.split()]
    assert len(pids) == 2
    assert not any(psutil.pid_exists(pid) and not ended(psutil.Process(pid)) for pid in pids)


def test_a_guardian_goes_on_after_any_signal_but_a_kill_which_costs_its_children_and_no_more(
    tmp_path: Path,
) -> None:
    done = python(CHILD + LOST, FOLDER=str(tmp_path))
    assert done.stdout.splitlines() == [
        "True True",
        "True",
        "crashed: ended in 'trim' with all others: the process that starts all arms was killed, by one of them or from "
        "outside",
        "True",
        "False",
    ], done.stdout + done.stderr
    for file in tmp_path.iterdir():
        child, left = map(int, file.read_text().split())
        assert not psutil.pid_exists(child) or ended(psutil.Process(child))
        if psutil.pid_exists(left):  # that of the first: nobody is there to end it
            psutil.Process(left).kill()


def test_a_request_that_is_interrupted_has_been_sent_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of half a one the guardian waits for the rest for ever, and whoever ends an arm for the guardian."""
    send_fds = socket.send_fds

    def interrupted(*what: Any) -> None:
        send_fds(*what)
        raise KeyboardInterrupt

    monkeypatch.setattr(socket, "send_fds", interrupted)
    link, theirs = socket.socketpair()
    with link, theirs, Path(os.devnull).open("rb") as file:
        wanted = guardian.Start(("python",), {"A": "B"}, None, random_layout=False)
        with pytest.raises(KeyboardInterrupt):
            guardian.ask(link, 1, wanted, file.fileno(), file.fileno())
        theirs.setblocking(False)
        assert theirs.recv(1 << 16).endswith(b"}")
