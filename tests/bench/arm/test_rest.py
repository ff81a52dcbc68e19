"""What an arm has done when it answers: another arm is measured from then on, and has all CPUs."""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from bench.arm import server as arm_server
from bench.arm import workload
from bench.arm.server import ArmServer
from bench.machine.clocks import clock
from bench.machine.environment import usable_cpus
from bench.machine.own_usage import at_rest
from kernels import registry
from kernels.api import Case

_ANSWERS = 5
pytestmark = [
    pytest.mark.skipif(sys.platform != "linux", reason="a thread's state is told by Linux only"),
    pytest.mark.skipif(usable_cpus() < 2, reason="one CPU has one thread"),
]


def _run_elsewhere() -> int:
    """Threads of this process, besides the caller's, that are running or ready to."""
    own = threading.get_native_id()
    states = [
        (path / "stat").read_bytes().rpartition(b")")[2].split()[0]
        for path in Path("/proc/self/task").iterdir()
        if int(path.name) != own
    ]
    return states.count(b"R")


def _parallel() -> ArmServer:
    server = ArmServer(lambda: registry.load("numba_parallel"), 1, 1 << 20)
    server.load()
    server.prepare(Case("relu", placement="out", n=1 << 15))
    return server


@pytest.mark.parametrize(
    "ask",
    [ArmServer.finish, ArmServer.dispatch, lambda server: server.batch(200, 0.0)],
    ids=["finish", "dispatch", "batch"],
)
def test_no_thread_spins_once_an_arm_has_answered(
    ask: Callable[[ArmServer], object], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        workload, "at_rest", lambda: at_rest(30.0)
    )  # beside other tests spinning takes longer
    server = _parallel()
    server.probe(0.001)
    server.batch(200, 0.0)
    for _ in range(_ANSWERS):
        ask(server)
        assert _run_elsewhere() == 0


def test_who_comes_to_rest_late_is_stopped_and_who_never_does_is_not(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Intel's OpenMP spins for longer than is waited after each batch."""
    monkeypatch.setattr(workload, "at_rest", lambda: False)
    for rests in (True, False):
        monkeypatch.setattr(arm_server, "at_rest", lambda _most_s, rests=rests: rests)
        server = _parallel()
        server.probe(0.001)
        assert server.batch(200, 0.0, pauses=True).pauses is rests
        assert not server.batch(200, 0.0).pauses


def test_there_is_something_to_wait_for() -> None:
    """Right after the calls, threads do spin; else the test above would pass whatever the arm did."""
    server = _parallel()
    spinning, began = 0, clock()
    while clock() - began < 10 and not spinning:
        server._calls.run(200, [])
        spinning = _run_elsewhere()
    assert spinning
