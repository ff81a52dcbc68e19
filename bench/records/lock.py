"""One run at a time in a folder, as two would mix their rounds, and on a machine, as each would slow the other down.

The system lets go of what is held when a process ends, however it does.  Where it cannot hold files (Windows, some
network file systems), nothing is held.
"""

from __future__ import annotations

import contextlib
import os
import stat
import tempfile
from collections.abc import Iterator
from pathlib import Path

from bench.plan.settings import FORCE
from bench.records.errors import RunFilesError

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None  # type: ignore[assignment]

__all__ = ["alone_in", "alone_on_this_machine"]

_LONGEST = 200
"""Bytes that are told of who holds the machine."""


@contextlib.contextmanager
def alone_in(folder: Path) -> Iterator[None]:
    """Hold the folder, which is made where it is missing, against other processes that ask the same.

    Raises RunFilesError, one line, where another process holds it.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        held = os.open(folder, os.O_RDONLY) if fcntl else None
    except OSError as error:
        raise RunFilesError.unwritable(folder, error) from None
    with _closing(held):
        if not _is_free(held):
            raise RunFilesError(
                f"another process is writing to {folder}; wait until it has ended, or choose another --run-id"
            )
        yield


@contextlib.contextmanager
def alone_on_this_machine(what: str) -> Iterator[None]:
    """Hold the machine against other runs, which are told `what` is measured.

    Raises RunFilesError, one line, where another run holds it.
    """
    held = _machine_file() if fcntl else None
    with _closing(held):
        if held is not None and not _is_free(held):
            holder = os.pread(held, _LONGEST, 0).decode(errors="replace")
            named = "".join(letter for letter in holder.strip() if letter.isprintable())
            raise RunFilesError(
                f"another run is being measured on this machine ({named}), and each would slow the other down; wait "
                f"until it has ended, or measure beside it all the same: --force, or {FORCE}=1"
            )
        if held is not None:
            with contextlib.suppress(OSError):  # another user's file, or a full disk: then nobody is told
                os.ftruncate(held, 0)
                os.pwrite(held, f"process {os.getpid()}, {what}".encode()[:_LONGEST], 0)
        yield


def _machine_file() -> int | None:
    """A file that all runs here know, open; its owner can write to it, and everybody hold it."""
    path = Path(tempfile.gettempdir()) / "relu-bench.lock"
    for flags in (os.O_RDWR | os.O_CREAT, os.O_RDONLY):
        with contextlib.suppress(OSError):
            held = os.open(path, flags | os.O_NOFOLLOW | os.O_NONBLOCK, 0o644)
            if stat.S_ISREG(os.fstat(held).st_mode):
                return held
            os.close(held)  # another user's pipe or folder: nobody can be told by it
    return None


def _is_free(held: int | None) -> bool:
    """Hold what is open; whether nobody else does."""
    if held is None:
        return True
    try:
        fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError:
        pass  # this file system has no locks
    return True


@contextlib.contextmanager
def _closing(held: int | None) -> Iterator[None]:
    try:
        yield
    finally:
        if held is not None:
            os.close(held)
