"""Arms' processes that are forked from a Python which has imported what they need: most of a run is starting those.

Their guardian is a fork, too.  It works as `bench.run.guardian` does, except that it starts an arm by forking.  What
is no arm, or has another Python or variables that a fork would not obey, is started as a fresh process.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import select
import signal
import socket
import subprocess
import sys
import traceback
from collections.abc import Callable, Mapping
from typing import NoReturn

from bench.arm import worker
from bench.machine.address_layout import HASH_SEED
from bench.run import guardian, offspring
from bench.run.guardian import Guardian, Start, Started
from scripts._crosscheck import worker as crosscheck_worker

__all__ = ["Fork", "fork_arms", "guard"]

_OF_EVERY_ARM = {*HASH_SEED, "PYTHONPATH"}
"""Variables that Python reads and all arms have: the one means nothing here, the other is obeyed."""

_PROGRAMS = {module.__name__: module.main for module in (worker, crosscheck_worker)}
"""What is forked: an arm's process, and the one in which crosscheck.py tries a backend."""
_CHANNEL = 3
"""The file that is an arm's socket: the first after what is read, printed and complained."""

Obeys = Callable[[Mapping[str, str]], bool]
"""Whether a fork sees these variables as a fresh process does."""


class Fork:
    """A child of this process, as `subprocess.Popen` tells of one."""

    def __init__(self, pid: int) -> None:
        self.pid = pid
        self.returncode: int | None = None

    def poll(self) -> int | None:
        return self._looked(os.WNOHANG)

    def wait(self, timeout: float | None = None) -> int:
        if timeout is not None and self.poll() is None:
            with os.fdopen(os.pidfd_open(self.pid)) as ends:
                if not select.select([ends], [], [], timeout)[0]:
                    raise subprocess.TimeoutExpired(str(self.pid), timeout)
        code = self._looked(0)
        assert code is not None, "waited for"
        return code

    def send_signal(self, number: int) -> None:
        if self.poll() is None:
            os.kill(self.pid, number)

    def _looked(self, how: int) -> int | None:
        if self.returncode is None:
            pid, status = os.waitpid(self.pid, how)
            self.returncode = os.waitstatus_to_exitcode(status) if pid else None
        return self.returncode


def fork_arms(obeys: Obeys) -> None:
    """From here on arms of this process are forks of what it is now."""
    link, theirs = socket.socketpair()
    pid = os.fork()
    if pid == 0:
        link.close()
        guard(theirs, obeys)
    theirs.close()
    offspring.employ(link, Fork(pid))


def guard(link: socket.socket, obeys: Obeys) -> NoReturn:
    """Be the guardian at the other end of `link`, whose arms are forks of this process."""

    def begin(wanted: Start, end: int, output: int) -> Started:
        plain = {name: text for name, text in wanted.environ.items() if name not in _OF_EVERY_ARM}
        plain |= {name: os.environ[name] for name in _OF_EVERY_ARM & os.environ.keys()}
        interpreter, _, program = wanted.command
        if interpreter != sys.executable or program not in _PROGRAMS or not obeys(plain):
            return guardian.start(wanted, end, output)
        pid = os.fork()
        if pid == 0:
            _end_after(lambda: _work(wanted, end, output))
        return Fork(pid)

    def serve() -> None:
        os.setsid()
        Guardian(link, begin).serve()

    _end_after(serve)


def _work(wanted: Start, end: int, output: int) -> None:
    """Be the arm's process."""
    os.setsid()
    signal.set_wakeup_fd(-1)
    for number in (signal.SIGCHLD, signal.SIGTERM):
        signal.signal(number, signal.SIG_DFL)
    _take(output, end)
    if wanted.folder is not None:
        os.chdir(wanted.folder)
    os.environ.clear()
    os.environ.update(wanted.environ)
    sys.path[:] = dict.fromkeys([*wanted.environ["PYTHONPATH"].split(os.pathsep), *sys.path])
    sys.argv[1:] = [str(_CHANNEL)]
    _PROGRAMS[wanted.command[-1]](_CHANNEL)


def _take(output: int, channel: int) -> None:
    """Print into that file and keep that socket as `_CHANNEL`; all other files are closed."""
    output, channel = (fcntl.fcntl(each, fcntl.F_DUPFD, _CHANNEL + 1) for each in (output, channel))
    nothing = os.open(os.devnull, os.O_RDONLY)
    for number, file in enumerate((nothing, output, output, channel)):
        os.dup2(file, number)
    os.closerange(_CHANNEL + 1, os.sysconf("SC_OPEN_MAX"))


def _end_after(action: Callable[[], None]) -> NoReturn:
    """This process ends with what it was forked for, whatever its parent would do next."""
    code = 1
    try:
        action()
        code = 0
    except BaseException:  # noqa: BLE001  # told as Python itself would, whatever it is
        traceback.print_exc()
    finally:
        for stream in (sys.stdout, sys.stderr):
            with contextlib.suppress(OSError):  # nobody reads it any more
                stream.flush()
        os._exit(code)
