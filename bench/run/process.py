"""The parent's side of an arm's process: start it, ask it, notice its death, end it.

A process of its own for each arm keeps frameworks from sharing thread pools, allocators and the
CPU's flush-to-zero flag, and turns a crash or a hang into one cell's status.
"""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from multiprocessing import Pipe
from multiprocessing.connection import wait
from pathlib import Path
from typing import Any

from bench.machine.address_layout import HASH_SEED, filled_up, fixed_layout

__all__ = ["SHARED_CARD", "ArmError", "ArmProcess", "Outcome", "ask_all"]

SHARED_CARD = {"XLA_PYTHON_CLIENT_PREALLOCATE": "false", "CUDA_DEVICE_ORDER": "PCI_BUS_ID"}
"""What a process that shares a card is started with, unless the user has set it: XLA must not reserve most of
the card's memory, and cuda:1 has to be the same card for CUDA as for NVIDIA's management library."""


_WORKER = f"{__package__.rpartition('.')[0]}.arm.worker"


class ArmError(Exception):
    """Why an arm gave no answer: a status of `schema.STATUSES` and its reason."""

    def __init__(self, status: str, reason: str) -> None:
        super().__init__(f"{status}: {reason}")
        self.status, self.reason = status, reason


Outcome = Any
"""What a request came to: its answer, or the ArmError that it ended with."""


class ArmProcess:
    """One ``python -m bench.arm.worker`` and the socket to it.

    `environ` is set before the process exists, so that allocators and libraries read it at start.
    """

    def __init__(self, environ: Mapping[str, str]) -> None:
        ours, theirs = Pipe()
        self._stderr = tempfile.TemporaryFile()  # noqa: SIM115  # lives as long as the process
        path = os.pathsep.join(entry or str(Path.cwd()) for entry in sys.path)
        socket = f"{theirs.fileno():09}"  # as long whatever its number, for the layout's sake
        with fixed_layout():
            self._popen = subprocess.Popen(
                [sys.executable, "-m", _WORKER, socket],
                env=filled_up({**HASH_SEED, **SHARED_CARD, **os.environ, "PYTHONPATH": path, **environ}),
                pass_fds=(theirs.fileno(),),
                stdin=subprocess.DEVNULL,
                stdout=self._stderr,
                stderr=self._stderr,
                start_new_session=True,
            )
        theirs.close()
        self.connection = ours
        self.deadline = 0.0
        self._asked = ""

    @property
    def pid(self) -> int:
        """Process id."""
        return self._popen.pid

    def ask(self, method: str, *arguments: Any, seconds: float) -> None:
        """Send a request; `answer` collects what comes of it, within `seconds`."""
        self.deadline = time.monotonic() + seconds
        self._asked = method
        with contextlib.suppress(OSError):  # it died before it could be asked; answer() says how
            self.connection.send((method, arguments))

    def answer(self) -> Any:
        """The answer to the last request.

        Raises ArmError: it raised (failed, oom), died (crashed), or took too long (timeout).
        """
        try:
            if not self.connection.poll(max(0.0, self.deadline - time.monotonic())):
                self.kill()
                raise ArmError(
                    "timeout", f"no answer to {self._asked!r} within --cell-timeout; the process was ended"
                )
            outcome, value = self.connection.recv()
        except (EOFError, OSError):
            raise self._death() from None
        if outcome != "done":
            raise ArmError(outcome, value)
        return value

    def _death(self) -> ArmError:
        """How the process ended, with the last line that it printed."""
        try:
            code = self._popen.wait(timeout=5)
        except subprocess.TimeoutExpired:
            self.kill()
            return ArmError("crashed", f"closed its connection in {self._asked!r} and did not end")
        how = f"exit status {code}" if code >= 0 else _signal_text(-code)
        self._stderr.seek(0)
        lines = [
            line.strip() for line in self._stderr.read().decode(errors="replace").splitlines() if line.strip()
        ]
        said = next(
            (line for line in lines if line.startswith("Fatal Python error")), lines[-1] if lines else ""
        )
        return ArmError(
            "crashed", f"{how} in {self._asked!r}" + (f"; it printed: {said[:300]}" if said else "")
        )

    @property
    def alive(self) -> bool:
        """Whether it can still be asked."""
        return self._popen.poll() is None

    def kill(self) -> None:
        """End the process and whatever it started."""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self._popen.pid, signal.SIGKILL)
        self._popen.wait()

    def close(self) -> None:
        """End the process if it still runs, and free what belongs to it."""
        self.kill()
        self.connection.close()
        self._stderr.close()


def _signal_text(number: int) -> str:
    try:
        name = signal.Signals(number).name
    except ValueError:
        name = f"signal {number}"
    hint = " (often the kernel's out-of-memory killer)" if name == "SIGKILL" else ""
    return f"killed by {name}{hint}"


def ask_all(
    requests: Sequence[tuple[ArmProcess, str, tuple[Any, ...]]], seconds: float, at_once: int
) -> list[Outcome]:
    """Put a request to each process, `at_once` of them working at a time; the outcomes in their order.

    More at once than CPUs would make them wait for each other, and their call times with them.
    """
    outcomes: list[Outcome] = [None] * len(requests)
    waiting = list(range(len(requests)))[::-1]
    working: dict[int, ArmProcess] = {}
    while waiting or working:
        while waiting and len(working) < at_once:
            number = waiting.pop()
            process, method, arguments = requests[number]
            process.ask(method, *arguments, seconds=seconds)
            working[number] = process
        soonest = min(process.deadline for process in working.values())
        ready = wait(
            [process.connection for process in working.values()], max(0.0, soonest - time.monotonic())
        )
        for number, process in list(working.items()):
            if process.connection in ready or process.deadline <= time.monotonic():
                del working[number]
                try:
                    outcomes[number] = process.answer()
                except ArmError as error:
                    outcomes[number] = error
    return outcomes
