"""Child processes of which nothing is left when they end, or this process does (Linux; elsewhere they are plain ones).

They are started by a guardian, a process of ours that is started with the first of them (see `bench.run.guardian`).
"""

from __future__ import annotations

import atexit
import contextlib
import errno
import os
import select
import signal
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Protocol

from bench.run import guardian
from bench.run.guardian import Start

__all__ = ["Child", "GuardianProcess", "employ", "is_lost", "own_path", "start"]

_LOOK_EVERY_S = 1.0
"""How often it is looked up whether a process is there that nothing is heard of: a Ctrl-C may cost a report."""

_MOST_LOOKS = 60
"""So often it is looked up whether the guardian has ended, before it is ended."""


def own_path() -> str:
    """Where this process imports from, for a variable of another's; an empty entry is the current folder."""
    return os.pathsep.join(entry or str(Path.cwd()) for entry in sys.path)


class Child(Protocol):
    """What `subprocess.Popen` has of a process."""

    @property
    def pid(self) -> int:
        """Its id."""

    def poll(self) -> int | None:
        """Its return code, once it has ended."""

    def wait(self, timeout: float | None = None) -> int:
        """Its return code.  Raises subprocess.TimeoutExpired."""


def start(wanted: Start, end: int, output: int) -> Child:
    """Start a process as `bench.run.guardian.start` does.  Raises OSError."""
    if sys.platform != "linux":
        return guardian.start(wanted, end, output)
    with _lock:
        return _guardian().start(wanted, end, output)


def is_lost(child: Child) -> bool:
    """Whether it has ended since its guardian was killed, and all others with it."""
    return isinstance(child, _Guarded) and child.is_lost


class GuardianProcess(Protocol):
    """What is asked of a guardian's process, as `subprocess.Popen` has it."""

    def wait(self, timeout: float | None = None) -> object:
        """Return when it has ended.  Raises subprocess.TimeoutExpired."""

    def send_signal(self, number: int) -> None:
        """Send it a signal, if it is there."""


class _Guarded:
    """A process that the guardian has started."""

    def __init__(self, keeper: _Guardian, pid: int) -> None:
        self.pid, self._keeper = pid, keeper
        self._code: int | None = None

    @property
    def is_lost(self) -> bool:
        return self._keeper.gone

    def poll(self) -> int | None:
        if self._code is None:
            self._code = self._keeper.code_of(self.pid, 0.0)
        return self._code

    def wait(self, timeout: float | None = None) -> int:
        end = float("inf") if timeout is None else time.monotonic() + timeout
        while self.poll() is None:
            left = end - time.monotonic()
            if left <= 0:
                raise subprocess.TimeoutExpired(str(self.pid), timeout or 0.0)
            self._code = self._keeper.code_of(self.pid, min(left, _LOOK_EVERY_S))
            if self._code is None and not _is_there(self.pid):
                self._code = -signal.SIGKILL
        assert self._code is not None, "polled"
        return self._code


class _Guardian:
    """The guardian of this process, asked."""

    def __init__(self, link: socket.socket, process: GuardianProcess) -> None:
        self.owner = os.getpid()
        self._link, self._process = link, process
        self.gone = False
        self._asked = 0
        self._codes: dict[int, int] = {}
        atexit.register(self.close)

    def start(self, wanted: Start, end: int, output: int) -> _Guarded:
        """Have a process started.  Raises OSError."""
        self._asked += 1
        with contextlib.suppress(ConnectionError):  # it is gone, which reading tells
            guardian.ask(self._link, self._asked, wanted, end, output)
        while not self.gone:
            word, number, pid, code = self._heard(_LOOK_EVERY_S) or (guardian.ENDED, 0, 0, 0)
            if number != self._asked:
                continue  # of a request that was interrupted: nobody's, and it ends with the guardian
            if word == guardian.FAILED:
                raise OSError(code, os.strerror(code))
            self._codes.pop(pid, None)  # of a process before it that had this number
            return _Guarded(self, pid)
        raise ChildProcessError(errno.ECHILD, "the process that starts arms has ended")

    def code_of(self, pid: int, seconds: float) -> int | None:
        """The return code of a process, once it has ended, waited for so long."""
        with _lock:
            while pid not in self._codes and not self.gone:
                if self._heard(seconds) is None:
                    break
            return self._codes.pop(pid, -signal.SIGKILL if self.gone else None)

    def _heard(self, seconds: float) -> tuple[int, int, int, int] | None:
        """The next report, after so many seconds at most.  Return codes are noted."""
        poll = select.poll()
        poll.register(self._link, select.POLLIN)
        if not poll.poll(seconds * 1000):
            if seconds >= _LOOK_EVERY_S:
                self._process.send_signal(signal.SIGCONT)  # an arm may have stopped it
            return None
        try:
            data = self._link.recv(guardian.REPORT.size, socket.MSG_WAITALL)
        except ConnectionError:
            data = b""
        if len(data) < guardian.REPORT.size:
            self.gone = True  # and all that it has started, which die with it
            return None
        word, number, pid, code = guardian.REPORT.unpack(data)
        if word == guardian.ENDED:
            self._codes[pid] = code
        return word, number, pid, code

    def close(self) -> None:
        """Let it end, and all that it has started."""
        if os.getpid() != self.owner:
            return  # a fork, whose parent goes on
        self._link.close()
        for _ in range(_MOST_LOOKS):
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._process.wait(_LOOK_EVERY_S)
                return
            self._process.send_signal(signal.SIGCONT)  # an arm may have stopped it
        self._process.send_signal(signal.SIGKILL)
        self._process.wait()


_lock = threading.RLock()
_current: _Guardian | None = None


def employ(link: socket.socket, process: GuardianProcess) -> None:
    """From here on that guardian, at the other end of `link`, starts what this process asks for."""
    global _current  # noqa: PLW0603  # there is one
    _current = _Guardian(link, process)


def _guardian() -> _Guardian:
    """The one of this process."""
    if _current is None or _current.gone or _current.owner != os.getpid():
        employ(*_new_guardian())
    assert _current is not None, "employed"
    return _current


def _new_guardian() -> tuple[socket.socket, subprocess.Popen[bytes]]:
    """The socket to it, and its process."""
    link, theirs = socket.socketpair()
    with theirs:
        try:
            return link, subprocess.Popen(
                [sys.executable, "-m", guardian.__name__, str(theirs.fileno())],
                env={**os.environ, "PYTHONPATH": own_path()},
                pass_fds=(theirs.fileno(),),
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                start_new_session=True,
            )
        except BaseException:
            link.close()
            raise


def _is_there(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        pass
    return True
