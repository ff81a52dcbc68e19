"""The process between this one and its children, so that nothing outlives it: ``python -m bench.run.guardian FD``.

A child runs foreign code, which may start processes in sessions of their own so as to outlive it.  Linux gives orphans
to the nearest ancestor that asked for them ("child subreaper"): a guardian that starts the children, and asks.  What
comes to it so was left behind and is ended at once.  When the process that it works for has ended, even by a SIGKILL,
everything is.  While nothing starts or ends, it sleeps.
"""

from __future__ import annotations

import contextlib
import ctypes
import errno
import json
import os
import select
import signal
import socket
import struct
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Protocol

import psutil

from bench.machine.address_layout import fixed_layout

__all__ = ["ENDED", "FAILED", "REPORT", "STARTED", "Guardian", "Start", "Started", "ask", "start"]

_HEAD = struct.Struct("!QQ")
"""Before a request, whose text follows: its number, and the length of the text."""
REPORT = struct.Struct("!qqqq")
"""What the guardian says: one of the three words below, the number of the request, the process, and the code."""
STARTED, FAILED, ENDED = range(3)
"""A process was started; it was not, and the code is an errno; it has ended, and the code is its return code."""
_FAULTS = {"SIGSEGV", "SIGBUS", "SIGILL", "SIGFPE", "SIGABRT"}
"""Who goes on after one of its own comes there again, for ever."""
_PR_SET_PDEATHSIG, _PR_SET_CHILD_SUBREAPER = 1, 36  # linux/prctl.h
_MOST_SWEEPS = 50
"""Ending one may leave its own children to us; whoever starts them faster than that is given up."""
_ENDS_WITHIN_S = 1.0


@dataclass(frozen=True, slots=True)
class Start:
    """A process to be started, in a session of its own; None for `folder` is that of the one that starts it.

    `random_layout`: the address space is laid out as the system does it for anybody.
    """

    command: Sequence[str]
    environ: Mapping[str, str]
    folder: str | None
    random_layout: bool


class Started(Protocol):
    """What the guardian needs of a process, as `subprocess.Popen` has it."""

    pid: int
    returncode: int | None

    def poll(self) -> int | None:
        """Its return code, once it has ended."""


def start(wanted: Start, end: int, output: int) -> subprocess.Popen[bytes]:
    """Start it here.  The socket `end` is its own, and its last argument; the file `output` takes what it prints.

    Raises OSError.
    """
    number = f"{end:09}"  # as long whatever it is, for the layout's sake
    with contextlib.nullcontext() if wanted.random_layout else fixed_layout():
        return subprocess.Popen(
            [*wanted.command, number],
            env=wanted.environ,
            cwd=wanted.folder,
            pass_fds=(end,),
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            start_new_session=True,
        )


def ask(link: socket.socket, number: int, wanted: Start, end: int, output: int) -> None:
    """Ask the guardian at the other end of `link` for it; a report of that number says what came of it."""
    text = json.dumps(asdict(wanted)).encode("ascii")
    request = _HEAD.pack(number, len(text)) + text
    # At once: an interrupt in between left the guardian waiting for the rest, and this process for the guardian.
    sent = socket.send_fds(link, [request], [end, output])
    link.sendall(request[sent:])


class Guardian:
    """Starts what it is asked for on `link`, with `begin`, and says what has ended."""

    def __init__(self, link: socket.socket, begin: Callable[[Start, int, int], Started] = start) -> None:
        self._link, self._begin, self._parent = link, begin, os.getppid()
        self._children: dict[int, Started] = {}

    def serve(self) -> None:
        """Until the process that it works for has ended, or hangs up; then all children are ended."""
        woken = _woken_by_signals()
        try:
            while os.getppid() == self._parent:
                ready, _, _ = select.select([self._link, woken], [], [])
                if woken in ready:
                    woken.recv(1 << 12)
                    if _has_ended():
                        self._reap()
                if self._link in ready and not self._is_asked():
                    return
        except ConnectionError:
            return  # it is gone, and hears nothing
        finally:
            self._children.clear()
            self._end_strays()

    def _is_asked(self) -> bool:
        """Answer a request; whether there was one."""
        head, files, _, _ = socket.recv_fds(self._link, _HEAD.size, 2)
        if len(head) < _HEAD.size:
            return False
        number, size = _HEAD.unpack(head)
        text = _exactly(self._link, size)
        try:
            child = self._begin(Start(**json.loads(text)), *files)
        except (OSError, ValueError) as error:
            code = getattr(error, "errno", None) or errno.EINVAL
            report = FAILED, number, 0, code
        else:
            self._children[child.pid] = child
            report = STARTED, number, child.pid, 0
        finally:
            for file in files:
                os.close(file)
        self._link.sendall(REPORT.pack(*report))
        return True

    def _reap(self) -> None:
        """End what is left of children that have ended, and say so of these."""
        over = [child for child in self._children.values() if child.poll() is not None]
        for child in over:
            del self._children[child.pid]
        self._end_strays()
        for child in over:
            self._link.sendall(REPORT.pack(ENDED, 0, child.pid, child.returncode))

    def _end_strays(self) -> None:
        for _ in range(_MOST_SWEEPS):
            strays = [each for each in psutil.Process().children() if each.pid not in self._children]
            if not strays:
                return
            for each in strays:
                with contextlib.suppress(psutil.Error):
                    each.kill()
            psutil.wait_procs(strays, _ENDS_WITHIN_S)


def _has_ended() -> bool:
    """Whether a child has, and did not only stop or go on, as arms do all the time (`bench.machine.pausing`)."""
    try:
        return os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT) is not None
    except ChildProcessError:
        return True  # it was the last one, and has been waited for


def _exactly(link: socket.socket, size: int) -> bytes:
    """So many bytes of what is sent; a signal may come in between.  Raises ConnectionResetError."""
    read = bytearray()
    while len(read) < size:
        piece = link.recv(size - len(read))
        if not piece:
            raise ConnectionResetError
        read += piece
    return bytes(read)


def _woken_by_signals() -> socket.socket:
    """What can be read when a child has ended, or the process that this one works for."""
    woken, wakes = socket.socketpair()
    woken.setblocking(False)
    wakes.setblocking(False)
    signal.set_wakeup_fd(wakes.detach(), warn_on_full_buffer=False)
    # All that may be heard: an arm may send its parent any, and all other arms would go with it.
    for number in signal.valid_signals() - {signal.SIGKILL, signal.SIGSTOP}:
        if getattr(number, "name", "") not in _FAULTS:
            signal.signal(number, lambda *_: None)
    prctl = ctypes.CDLL(None).prctl
    prctl(_PR_SET_CHILD_SUBREAPER, 1)
    prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)  # a fork of that process may hold its end of the socket open
    return woken


if __name__ == "__main__":
    Guardian(socket.socket(fileno=int(sys.argv[1]))).serve()
