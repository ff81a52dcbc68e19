"""The parent's side of a backend's process: one at a time, started again where it died."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from multiprocessing import Pipe
from pathlib import Path

from bench.run.process import SHARED_CARD
from kernels.api import Case
from scripts._crosscheck.checking import About, Outcome

__all__ = ["Limits", "outcomes"]

_MOST_DEATHS = 3


@dataclass(frozen=True)
class Limits:
    """`seconds` after which a case begins no further trial; `timeout`, in seconds, after which it is ended.

    When `stop` is set, nothing is waited for any more.
    """

    seconds: float
    timeout: float
    stop: threading.Event = field(default_factory=threading.Event)


def outcomes(
    name: str, plugins: Mapping[str, str], cases: Sequence[Case], limits: Limits
) -> Iterator[tuple[Case, Outcome, About]]:
    """Each case with its outcome and what the backend says of itself, as they come.

    A process that dies or takes too long over a case costs that case alone; the
    next one gets a fresh process, up to three times.
    """
    process: _Process | None = None
    deaths = 0
    try:
        for case in cases:
            if limits.stop.is_set():
                return
            if deaths == _MOST_DEATHS:
                yield case, Outcome("crashed", f"not tried: its process had ended {deaths} times"), About()
                continue
            process = process or _Process(name, plugins)
            outcome, about = process.ask(case, limits)
            yield case, outcome, about
            if outcome.status in ("crashed", "timeout"):
                process.close()
                process, deaths = None, deaths + 1
    finally:
        if process is not None:
            process.close()


class _Process:
    def __init__(self, name: str, plugins: Mapping[str, str]) -> None:
        self._connection, theirs = Pipe()
        self._printed = tempfile.TemporaryFile()  # noqa: SIM115  # lives as long as the process
        path = os.pathsep.join(entry or str(Path.cwd()) for entry in sys.path)
        self._popen = subprocess.Popen(
            [sys.executable, "-m", f"{__package__}.worker", str(theirs.fileno())],
            env={**SHARED_CARD, **os.environ, "PYTHONPATH": path},
            pass_fds=(theirs.fileno(),),
            stdin=subprocess.DEVNULL,
            stdout=self._printed,
            stderr=self._printed,
            start_new_session=True,
        )
        theirs.close()
        self._first: object = (name, dict(plugins))

    def ask(self, case: Case, limits: Limits) -> tuple[Outcome, About]:
        """The outcome of `case`: also crashed or timeout, and then the process is of no more use."""
        try:
            if self._first is not None:
                self._connection.send(self._first)
                self._first = None
            self._connection.send((case, limits.seconds))
            if not self._answers(limits):
                return Outcome("timeout", f"took more than {limits.timeout:g} s (--timeout)"), About()
            answer: tuple[Outcome, About] = self._connection.recv()
        except (EOFError, OSError):
            return Outcome("crashed", self._death()), About()
        return answer

    def _answers(self, limits: Limits) -> bool:
        deadline = time.monotonic() + limits.timeout
        while not limits.stop.is_set() and time.monotonic() < deadline:
            if self._connection.poll(min(0.2, limits.timeout)):
                return True
        return False

    def _death(self) -> str:
        """How the process ended, with what it said last."""
        try:
            code = self._popen.wait(timeout=5)
        except subprocess.TimeoutExpired:
            return "closed its connection and did not end"
        how = f"exit status {code}"
        if code < 0:
            known = {number.value: number.name for number in signal.Signals}
            how = f"killed by {known.get(-code, f'signal {-code}')}"
        self._printed.seek(0)
        lines = [line.strip() for line in self._printed.read().decode(errors="replace").splitlines()]
        fatal = [line for line in lines if line.startswith("Fatal Python error")]
        said = (fatal or [line for line in lines if line] or [""])[-1]
        return f"{how}; it printed: {said[:300]}" if said else how

    def close(self) -> None:
        """End the process and whatever it started."""
        with contextlib.suppress(ProcessLookupError):  # it has ended already
            os.killpg(self._popen.pid, signal.SIGKILL)
        self._popen.wait()
        self._connection.close()
        self._printed.close()
