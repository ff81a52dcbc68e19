"""One step: a child process with a limit of its own, which costs nothing but itself, however it ends."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

__all__ = ["Ended", "ended"]

_LOOK_S = 1.0
"""So often it is said how the time goes."""
_GRACE_S = 15.0
"""After its limit a child may write down what it has, for so long at most."""
_LAST_BYTES = 4096


@dataclass(frozen=True, slots=True)
class Ended:
    """How a child ended: `code` is its exit status, below zero for a signal, None if it could not be started."""

    code: int | None
    seconds: float
    late: bool
    said: str
    """The last line that it wrote to its log."""


def ended(
    command: Sequence[str],
    environ: Mapping[str, str],
    limit_s: float,
    *,
    log: Path,
    into: Path | None = None,
    tick: Callable[[float], None] = lambda _: None,
    grace_s: float = _GRACE_S,
) -> Ended:
    """Run a command to its end, or for `limit_s` seconds; what it prints goes to `log`, its output to `into` if given.

    A child that is late is asked to end and keeps what it has; after `grace_s` it is ended with all that it started.
    `tick` is told now and then how many seconds have passed.
    """
    began = time.monotonic()
    with log.open("wb") as said, (into or Path(os.devnull)).open("wb") as own:
        try:
            process = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=said if into is None else own,
                stderr=said,
                env=dict(environ),
                start_new_session=True,
            )
        except OSError as error:
            return Ended(None, 0.0, late=False, said=f"{command[0]}: {error.strerror}")
        try:
            late = not _ends_within(process, limit_s, tick)
        finally:
            _end(process, grace_s)
    return Ended(process.returncode, time.monotonic() - began, late, _last_line(log))


def _ends_within(process: subprocess.Popen[bytes], limit_s: float, tick: Callable[[float], None]) -> bool:
    began = time.monotonic()
    while True:
        passed_s = time.monotonic() - began
        try:
            process.wait(max(min(_LOOK_S, limit_s - passed_s), 0.0))
        except subprocess.TimeoutExpired:
            passed_s = time.monotonic() - began
            tick(passed_s)
            if passed_s >= limit_s:
                return False
        else:
            return True


def _end(process: subprocess.Popen[bytes], grace_s: float) -> None:
    """End the child if it still runs, and what it has started: arms are processes in sessions of their own."""
    started = _descendants(process.pid) if process.poll() is None else []
    if process.poll() is None:
        process.terminate()
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(grace_s)
        started += _descendants(process.pid)
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, signal.SIGKILL)
    for each in started:
        _kill(each)
    process.wait()


def _descendants(pid: int) -> list[Any]:
    """Processes that it and those have started; where psutil is missing, they end when they lose their parent."""
    try:
        import psutil  # noqa: PLC0415  # this file has to work without
    except ModuleNotFoundError:
        return []
    try:
        return list(psutil.Process(pid).children(recursive=True))
    except psutil.Error:
        return []


def _kill(process: Any) -> None:
    import psutil  # noqa: PLC0415  # it is there: it has made what is ended

    with contextlib.suppress(psutil.Error):
        process.kill()


def _last_line(log: Path) -> str:
    with log.open("rb") as file:
        file.seek(max(0, log.stat().st_size - _LAST_BYTES))
        lines = file.read().decode(errors="replace").splitlines()
    return next((line.strip() for line in reversed(lines) if line.strip()), "")
