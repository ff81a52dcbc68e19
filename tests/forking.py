"""Runs of pytest that are forked from a Python which has imported what they all need: half of a short one is that.

``python -m tests.forking FD`` is that Python, of which each process of tests has one.  A fork does not show what a
fresh process would of imports and limits, nor of variables that Python or a library reads as it starts.
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
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path

__all__ = ["ForkedRuns", "forked_runs"]

_ROOT = Path(__file__).resolve().parent.parent
_NEEDED = ("pytest", "rich.live", "rich.table", "psutil", "numba", "bench.run.sitting")
"""With NumPy and SciPy; not what has plugins of pytest, which has to see those imported, nor what remembers a fork."""
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
        changed = {name for name, _ in environ.items() ^ self._environ.items()}
        return not any(name.startswith(_READ_AT_START) for name in changed)

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

    def close(self) -> None:
        """End it."""
        if self._process.poll() is None:
            os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait()


@cache
def forked_runs() -> ForkedRuns:
    """The one of this process."""
    return ForkedRuns()


def _serve(connection: socket.socket) -> None:
    """Fork for each request; returns in the forked process, never in the one that forks."""
    for name in _NEEDED:
        importlib.import_module(name)
    numba = importlib.import_module("numba")
    numba.njit("float64(float64)")(lambda x: x)  # what Numba loads when it first compiles
    assert "kernels.numba_cpu.threads" not in sys.modules, "kernels would compute serially in what is forked"
    gc.freeze()  # a collection in what is forked would copy all pages
    for line in connection.makefile("r", encoding="utf-8"):
        request = json.loads(line)
        child = os.fork()
        if child == 0:
            _become(connection, request["environ"], request["arguments"], request["output"])
            return
        status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
        connection.sendall(f"{status}\n".encode())
    os._exit(0)  # nobody asks any more


def _become(
    connection: socket.socket, environ: Mapping[str, str], arguments: Sequence[str], output: str
) -> None:
    connection.close()
    os.environ.clear()
    os.environ.update(environ)
    sys.argv[1:] = arguments
    written = os.open(output, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_APPEND, 0o600)
    os.dup2(written, 1)
    os.dup2(written, 2)
    os.close(written)


if __name__ == "__main__":
    _serve(socket.socket(fileno=int(sys.argv[1])))
    import pytest

    sys.exit(pytest.main())
