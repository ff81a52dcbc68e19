"""Runs of pytest that are forked from a Python which has imported what they all need: half of a short one is that.

``python -m tests.forking FD`` is that Python, of which each process of tests has one.  The arms of such a run are
forks, too (see `tests.forked_arms`).  A fork does not show what a fresh process would of imports and limits, of
variables that Python or a library reads as it starts, and of what happens while Python takes itself down.
"""

from __future__ import annotations

import atexit
import gc
import importlib
import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
import threading
from collections.abc import Mapping, Sequence
from functools import cache, partial
from pathlib import Path
from typing import Any, NoReturn

from _pytest.config import default_plugins

__all__ = ["ForkedRuns", "forked_guardian", "forked_runs"]

_ROOT = Path(__file__).resolve().parent.parent
_NEEDED = (
    *("pytest", "rich.live", "rich.table", "psutil", "numba", "execnet", "pdb", "xml.etree.ElementTree"),
    *(f"_pytest.{name}" for name in default_plugins),
    *("bench.run.run", "bench.run.sitting", "bench.run.rows", "bench.run.gate_only", "bench.plugin.console"),
    *("bench.plugin.display", "bench.plugin.live", "bench.plugin.saved", "bench.plugin.replay"),
    "tests.forked_arms",
)
"""With NumPy and SciPy; not what has plugins of pytest, other than its own, which has to see those imported, nor what
remembers a fork."""
_READ_AT_START = ("PYTHON", "LD_", "NUMBA_", "OMP_", "OPENBLAS_", "MALLOC_")
"""What variables begin with that a fork would not obey."""


class ForkedRuns:
    """The Python that forks, and the way to ask it."""

    def __init__(self) -> None:
        self._socket, theirs = socket.socketpair()
        self._answers = self._socket.makefile("r", encoding="utf-8")
        words = [sys.executable, "-m", __name__, str(theirs.fileno())]
        self._environ = dict(os.environ)
        self._process = subprocess.Popen(
            words, cwd=_ROOT, pass_fds=[theirs.fileno()], stdin=subprocess.DEVNULL, start_new_session=True
        )
        theirs.close()
        atexit.register(self.close)

    def obey(self, environ: Mapping[str, str]) -> bool:
        """Whether a fork would see all of these variables as a fresh process does."""
        return _obeys(self._environ, environ)

    def run(self, arguments: Sequence[str], environ: Mapping[str, str], output: Path, seconds: float) -> int:
        """Pytest's exit status with these arguments; what it prints goes into that file.

        Raises subprocess.TimeoutExpired, and ends what was forked.
        """
        self._socket.settimeout(seconds)
        request = {"arguments": list(arguments), "environ": dict(environ), "output": str(output)}
        self._socket.sendall(json.dumps(request).encode() + b"\n")
        try:
            return int(self._answers.readline())
        except TimeoutError:
            self.close()
            forked_runs.cache_clear()
            raise subprocess.TimeoutExpired(arguments, seconds) from None

    def guardian(self) -> socket.socket:
        """The link to a guardian that this Python was forked to be, whose arms are forks as well."""
        with (
            tempfile.TemporaryDirectory(prefix="relu-bench-link-") as folder,
            socket.socket(socket.AF_UNIX) as door,
        ):
            door.bind(f"{folder}/door")
            door.listen(1)
            door.settimeout(60)
            self._socket.sendall(json.dumps({"guardian": f"{folder}/door"}).encode() + b"\n")
            return door.accept()[0]

    def close(self) -> None:
        """End it."""
        if self._process.poll() is None:
            os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait()


def _obeys(own: Mapping[str, str], wanted: Mapping[str, str]) -> bool:
    """Whether a fork of a process that was started with its `own` variables sees these as a fresh one does."""
    changed = {name for name, _ in own.items() ^ wanted.items()}
    return not any(name.startswith(_READ_AT_START) for name in changed)


@cache
def forked_runs() -> ForkedRuns:
    """The one of this process."""
    return ForkedRuns()


class _Elsewhere:
    """A process that is no child of this one, and ends when nobody is linked to it any more."""

    def wait(self, timeout: float | None = None) -> None:
        """Nothing is left of it here."""

    def send_signal(self, number: int) -> None:
        """Nobody here knows its number."""


@cache
def forked_guardian() -> Any:
    """What starts the arms of this process as forks, for `bench.run.offspring`."""
    offspring = importlib.import_module("bench.run.offspring")  # not where this module is a program
    return offspring._Guardian(forked_runs().guardian(), _Elsewhere())


def _serve(connection: socket.socket) -> None:
    """Fork for each request; returns in the forked process, never in the one that forks."""
    for name in _NEEDED:
        importlib.import_module(name)
    importlib.import_module("kernels.registry").names()  # looks for entry points
    numba = importlib.import_module("numba")
    numba.njit("float64(float64)")(lambda x: x)  # what Numba loads when it first compiles
    assert "kernels.numba_cpu.threads" not in sys.modules, "kernels would compute serially in what is forked"
    gc.freeze()  # a collection in what is forked would copy all pages
    for line in connection.makefile("r", encoding="utf-8"):
        request = json.loads(line)
        child = os.fork()
        if child == 0 and "guardian" in request:
            connection.close()
            _guard(request["guardian"])
        if child == 0:
            _become(connection, request["environ"], request["arguments"], request["output"])
            return
        if "guardian" in request:
            continue
        status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
        connection.sendall(f"{status}\n".encode())
    os._exit(0)  # nobody asks any more


def _guard(door: str) -> None:
    """Be a guardian for who waits at that door; never returns."""
    link = socket.socket(socket.AF_UNIX)
    link.connect(door)
    importlib.import_module("tests.forked_arms").guard(link, partial(_obeys, dict(os.environ)))


def _become(
    connection: socket.socket, environ: Mapping[str, str], arguments: Sequence[str], output: str
) -> None:
    connection.close()
    own = dict(os.environ)
    os.environ.clear()
    os.environ.update(environ)
    sys.argv[1:] = arguments
    written = os.open(output, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_APPEND, 0o600)
    os.dup2(written, 1)
    os.dup2(written, 2)
    os.close(written)
    importlib.import_module("tests.forked_arms").fork_arms(partial(_obeys, own))


def _end(status: int) -> NoReturn:
    """End as Python does, except that nothing is freed one by one: with all that was imported, half of a short run."""
    for thread in threading.enumerate():
        if thread is not threading.current_thread() and not thread.daemon:
            thread.join()
    atexit._run_exitfuncs()
    for stream in (sys.stdout, sys.stderr):
        stream.flush()
    os._exit(status)


if __name__ == "__main__":
    _serve(socket.socket(fileno=int(sys.argv[1])))
    import pytest

    _end(int(pytest.main()))
