"""The parent's side of a child process: start it, ask it, notice its death, end it.

Each arm has a process of its own.  This keeps frameworks from sharing thread pools, allocators and the CPU's
flush-to-zero flag, and a crash or a hang becomes the status of one cell.  What a child sends is checked and never
trusted (see `bench.channel`).
"""

from __future__ import annotations

import contextlib
import os
import select
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from typing import Any, Generic, TypeVar

from bench.channel import Channel, Refusal, Request, answer_in, send_request
from bench.codec import MessageError
from bench.machine import pausing
from bench.machine.address_layout import HASH_SEED, filled_up
from bench.machine.memory import oom_kills
from bench.plan.interpreters import search_path
from bench.run import offspring
from bench.run.guardian import Start
from bench.run.patience import Patience

__all__ = ["SHARED", "ArmError", "ChildProcess", "Pending", "ask_all"]

SHARED = {
    "XLA_PYTHON_CLIENT_PREALLOCATE": "false",
    "CUDA_DEVICE_ORDER": "PCI_BUS_ID",
    "TORCHINDUCTOR_COMPILE_THREADS": "1",
}
"""What a process that shares the machine is started with, unless the user has set it: XLA must not reserve most of a
card's memory, cuda:1 has to be the same card for CUDA as for NVIDIA's management library, and Inductor, which has one
kernel to compile for a case, starts no pool of processes, which would look like foreign load."""
_LAST_BYTES = 64 << 10
"""So much of what a child printed is looked at."""

A = TypeVar("A")
Pair = tuple["ChildProcess", Request[A]]


class ArmError(Exception):
    """Why a child gave no answer: a status of `schema.STATUSES` and its reason."""

    def __init__(self, status: str, reason: str) -> None:
        super().__init__(f"{status}: {reason}")
        self.status, self.reason = status, reason


class ChildProcess:
    """One ``python -m MODULE FD`` and the socket to it, of which FD is the other end.

    `environ` is set before the process exists, so that allocators and libraries read it at start.  `random_layout`:
    the address space is laid out as the system does it for anybody, and not as for all others here.  `python`: another
    interpreter, with packages of its own.

    Raises OSError where it cannot be started, for want of file handles or memory, say.
    """

    def __init__(
        self,
        module: str,
        environ: Mapping[str, str] | None = None,
        *,
        python: str = "",
        random_layout: bool = False,
    ) -> None:
        path = search_path() if python else offspring.own_path()
        shared = {**HASH_SEED, **SHARED, **os.environ, "PYTHONPATH": path}
        with contextlib.ExitStack() as opened:
            ours, theirs = map(opened.enter_context, socket.socketpair())
            self._stderr = opened.enter_context(tempfile.TemporaryFile())
            wanted = Start(
                [python or sys.executable, "-m", module],
                filled_up({**shared, **(environ or {})}, shared),
                _folder(),
                random_layout,
            )
            self._child = offspring.start(wanted, theirs.fileno(), self._stderr.fileno())
            opened.pop_all()
        theirs.close()
        self._oom_kills = oom_kills()
        self.channel = Channel(ours)
        self._requests = 0
        self._is_paused = False

    @property
    def pid(self) -> int:
        """Process id."""
        return self._child.pid

    def ask(self, request: Request[A], seconds: float) -> Pending[A]:
        """Send a request, to be answered within so many seconds; what comes of it, one at a time."""
        self._requests += 1
        pending = Pending(self, request, self._requests, seconds)
        with contextlib.suppress(
            OSError
        ):  # it died before it could be asked, or reads nothing: no answer comes
            send_request(self.channel, self._requests, request, time.monotonic() + seconds)
        if self._is_paused:
            self._is_paused = False
            pausing.continues(self.pid)
        return pending

    def call(self, request: Request[A], seconds: float) -> A:
        """Ask and wait.  Raises ArmError."""
        return self.ask(request, seconds).answer()

    def pause(self) -> None:
        """Return when it has stopped, as it says in its last answer, until it is asked again.  Raises ArmError."""
        self._is_paused = True
        if not pausing.has_paused(self.pid, pausing.PAUSES_WITHIN_S):
            raise ArmError("mistrusted", "says that it stops until it is asked again, and goes on")

    def death(self, name: str) -> ArmError:
        """How the process ended, asked for `name`, with the last line that it printed."""
        try:
            code = self._child.wait(timeout=5)
        except subprocess.TimeoutExpired:
            self.kill()
            return ArmError("crashed", f"closed its connection in {name!r} and did not end")
        if offspring.is_lost(self._child):
            why = "the process that starts all arms was killed, by one of them or from outside"
            return ArmError("crashed", f"ended in {name!r} with all others: {why}")
        said = self._said()
        printed = f"; it printed: {said[:300]}" if said else ""
        if code == -signal.SIGKILL and oom_kills() > self._oom_kills:
            return ArmError("oom", f"ended by the kernel in {name!r}, for want of memory{printed}")
        how = f"exit status {code}" if code >= 0 else f"killed by {_signal_name(-code)}"
        return ArmError("crashed", f"{how} in {name!r}{printed}")

    def _said(self) -> str:
        """The line that tells of a crash, or the last one."""
        self._stderr.seek(0, os.SEEK_END)
        self._stderr.seek(max(0, self._stderr.tell() - _LAST_BYTES))
        text = self._stderr.read(_LAST_BYTES).decode(errors="replace")
        lines = [line.strip() for line in text.splitlines() if line.strip()]
        return next((line for line in lines if line.startswith("Fatal Python error")), (lines or [""])[-1])

    @property
    def alive(self) -> bool:
        """Whether it can still be asked."""
        return self._child.poll() is None

    def kill(self) -> None:
        """End the process and whatever it started."""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self._child.pid, signal.SIGKILL)
        self._child.wait()

    def close(self) -> None:
        """End the process if it still runs, and free what belongs to it."""
        self.kill()
        self.channel.close()
        self._stderr.close()


class Pending(Generic[A]):
    """A request that waits for its answer, for so many `seconds` at most (see `Patience`)."""

    def __init__(self, process: ChildProcess, request: Request[A], number: int, seconds: float) -> None:
        self.process, self.patience = process, Patience(process.pid, request.name, seconds)
        self._request, self._number = request, number
        self._outcome: tuple[A] | ArmError | None = None

    def look(self) -> bool:
        """Read what is there, without waiting; whether it is decided what came of the request."""
        if self._outcome is None:
            self._outcome = self._now()
        return self._outcome is not None

    def wait(self, seconds: float) -> bool:
        """The same after so many seconds at most."""
        end = time.monotonic() + seconds
        while not self.look():
            left = end - time.monotonic()
            if left <= 0:
                return False
            self.process.channel.waits(min(left, self.patience.seconds))
        return True

    def answer(self) -> A:
        """The answer, waited for.

        Raises ArmError: it raised (failed, oom), died (crashed, oom), took too long (timeout) or all memory (oom), or
        sent something else (failed); but for the first, the process has been ended.
        """
        self.wait(float("inf"))
        assert self._outcome is not None, "decided by the deadline"
        if isinstance(self._outcome, ArmError):
            raise self._outcome
        return self._outcome[0]

    def _now(self) -> tuple[A] | ArmError | None:
        name = self._request.name
        try:
            frame = self.process.channel.take()
            if frame is not None:
                answer = answer_in(frame, self._number, self._request)
                return ArmError(answer.status, answer.reason) if isinstance(answer, Refusal) else (answer,)
        except (EOFError, OSError):
            return self.process.death(name)
        except MessageError as error:
            self.process.kill()
            return ArmError("failed", f"sent what is no answer to {name!r}: {error}; the process was ended")
        if not self.process.alive and not self.process.channel.waits(0.0):
            return self.process.death(name)  # a child of its own may hold the socket open
        over = self.patience.is_over()
        if over is None:
            return None
        self.process.kill()
        return ArmError(over[0], f"{over[1]}; the process was ended")


def _folder() -> str | None:
    """The current folder; None where it is gone."""
    try:
        return os.getcwd()  # noqa: PTH109  # as text
    except OSError:
        return None


def _signal_name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"


def ask_all(asked: Sequence[Pair[A]], seconds: float, at_once: int) -> list[A | ArmError]:
    """Put a request to each process, `at_once` of them working at a time; the outcomes in their order.

    More at once than CPUs would make them wait for each other, and their call times with them.
    """
    outcomes: dict[int, A | ArmError] = {}
    waiting = list(range(len(asked)))[::-1]
    working: dict[int, Pending[A]] = {}
    while waiting or working:
        while waiting and len(working) < at_once:
            number = waiting.pop()
            process, request = asked[number]
            working[number] = process.ask(request, seconds)
        soonest = min(pending.patience.seconds for pending in working.values())
        _wait([pending.process.channel for pending in working.values()], soonest)
        for number, pending in list(working.items()):
            if pending.look():
                del working[number]
                try:
                    outcomes[number] = pending.answer()
                except ArmError as error:
                    outcomes[number] = error
    return [outcomes[number] for number in range(len(asked))]


def _wait(channels: Sequence[Channel], seconds: float) -> None:
    """Until one of them has something to read, or the time is up."""
    poll: Any = select.poll()
    for channel in channels:
        poll.register(channel.fileno(), select.POLLIN)
    poll.poll(seconds * 1000)
