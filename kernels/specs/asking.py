"""Asks a Python of its own, where foreign code is imported: what that prints, leaves running or says has limits.

The answer comes through a pipe that only this process reads, one line of JSON after the other and an empty one at the
end.  Then the process, which waits for it, and all that it has started are ended: no exit handler delays that.
"""

from __future__ import annotations

import contextlib
import ctypes
import json
import os
import selectors
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from typing import IO, Any

__all__ = ["fields_in", "replies", "reply"]

_TIMEOUT_S = 300
"""Longer than any framework takes to import, on a busy machine with cold caches."""
_LOOK_EVERY_S = 0.2
"""How soon it is seen that the process has died, where a child of it holds the pipe open."""
_MOST_BYTES = 1 << 16
"""Of an answer, and of what is kept of the output, its end."""
_PR_SET_PDEATHSIG, _PR_SET_CHILD_SUBREAPER = 1, 36  # linux/prctl.h
_PROGRAM = f"""
import json, sys
sys.path[:] = json.loads(sys.argv[1])
from {__name__} import _be_asked
_be_asked(*sys.argv[2:])
"""
_answers = -1
"""In the process that is asked: where its answers go."""


def replies(module: str, words: Sequence[str], *, what: str) -> list[Any]:
    """What ``answer(*words)`` of that module says by `reply` in a process of its own, which may die after the first.

    Foreign code runs there, so a reply may be any JSON.  Raises ValueError in one line where it says nothing, or what
    is no reply; `what` is named in it.
    """
    # A script's path lacks the current folder, where a plugin often lies.
    path = json.dumps([*(entry for entry in sys.path if isinstance(entry, str)), ""])
    ours, theirs = os.pipe()
    with os.fdopen(ours, "rb", buffering=0) as answers:
        try:
            process = subprocess.Popen(
                [sys.executable, "-c", _PROGRAM, path, str(theirs), module, *words],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                pass_fds=(theirs,),
                start_new_session=True,
            )
        finally:
            os.close(theirs)
        with process:
            try:
                told, printed = _heard(process, answers)
            except _TooLongError as error:
                raise ValueError(f"{what}: importing it {error}") from None
            finally:
                _end(process)
    return _understood(told, printed, process.returncode, what)


class _TooLongError(Exception):
    """It took, or it said, too much."""


def _heard(process: subprocess.Popen[bytes], answers: IO[bytes]) -> tuple[bytes, bytes]:
    """All that the process answers, and the end of what it printed.  Raises _TooLongError."""
    told, printed, end = bytearray(), bytearray(), time.monotonic() + _TIMEOUT_S
    assert process.stdout is not None
    with selectors.DefaultSelector() as selector:
        selector.register(answers, selectors.EVENT_READ, told)
        selector.register(process.stdout, selectors.EVENT_READ, printed)
        while True:
            ended = process.poll() is not None  # looked at first, so that its last words are read
            ready = selector.select(0 if ended else _LOOK_EVERY_S)
            for key, _ in ready:
                piece = os.read(key.fd, _MOST_BYTES)
                key.data.extend(piece)
                if not piece:
                    selector.unregister(key.fileobj)
            del printed[:-_MOST_BYTES]
            if len(told) > _MOST_BYTES:
                raise _TooLongError(f"answered more than {_MOST_BYTES} bytes")
            if told == b"\n" or told.endswith(b"\n\n") or (ended and not ready):
                return bytes(told), bytes(printed)
            if not ended and _is_stopped(process.pid):
                raise _TooLongError("stopped its own process")
            if time.monotonic() > end:
                raise _TooLongError(f"took more than {_TIMEOUT_S} s")


def _is_stopped(pid: int) -> bool:
    """By a signal, which no job control sends to it: it has a session of its own."""
    import psutil  # noqa: PLC0415  # as below

    with contextlib.suppress(psutil.Error):
        return psutil.Process(pid).status() == psutil.STATUS_STOPPED
    return False


def _end(process: subprocess.Popen[bytes]) -> None:
    """End the process and whatever it has started, in sessions of their own too (see `_be_asked`)."""
    import psutil  # noqa: PLC0415  # naming a backend takes the standard library only

    started: list[psutil.Process] = []
    with contextlib.suppress(psutil.Error):
        started = psutil.Process(process.pid).children(recursive=True)
    for each in started:
        with contextlib.suppress(psutil.Error):
            each.kill()
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, signal.SIGKILL)


def _understood(told: bytes, printed: bytes, status: int, what: str) -> list[Any]:
    lines = told.splitlines()
    if not any(lines):
        last = (printed.decode(errors="replace").strip().splitlines() or ["it said nothing"])[-1]
        how = "answered nothing" if told else f"ended Python, exit status {status}"
        raise ValueError(f"{what}: importing it {how}: {last[:300]}")
    try:
        return [json.loads(line) for line in lines if line]
    except (ValueError, RecursionError):
        raise ValueError(f"{what}: importing it gave no answer but {told[:40]!r}") from None


def fields_in(answer: object, what: str, *names: str) -> list[Any]:
    """Those entries of an answer.  Raises ValueError in one line where it is no object that has them."""
    if isinstance(answer, dict) and all(name in answer for name in names):
        return [answer[name] for name in names]
    raise ValueError(f"{what}: importing it gave no answer but {repr(answer)[:80]}")


def reply(value: object) -> None:
    """Tell the process that asks; for ``answer`` of a module that is asked."""
    _write(json.dumps(value).encode() + b"\n")


def _write(line: bytes) -> None:
    while line:
        line = line[os.write(_answers, line) :]


def _be_asked(fd: str, module: str, *words: str) -> None:
    """Be the process that is asked."""
    global _answers  # noqa: PLW0603  # there is one such pipe in a process
    import importlib  # noqa: PLC0415

    if sys.platform == "linux":
        prctl = ctypes.CDLL(None).prctl
        prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
        prctl(_PR_SET_CHILD_SUBREAPER, 1)  # who leaves the session stays our descendant
    _answers = int(fd)
    os.set_inheritable(_answers, False)
    importlib.import_module(module).answer(*words)
    sys.stdout.flush()
    _write(b"\n")
    while True:  # until it is ended: foreign code's exit handlers and threads may take their time
        time.sleep(_TIMEOUT_S)
