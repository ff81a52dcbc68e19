"""One run at a time in a folder: two would mix their rounds."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path

from bench.records.errors import RunFilesError

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None  # type: ignore[assignment]

__all__ = ["alone_in"]


@contextlib.contextmanager
def alone_in(folder: Path) -> Iterator[None]:
    """Hold the folder, which is made where it is missing, against other processes that ask the same.

    The system lets go of it when the process ends, however it does.  Where it cannot hold a folder (Windows, some
    network file systems), nothing is held.  Raises RunFilesError, one line, where another process holds it.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise RunFilesError.unwritable(folder, error) from None
    if fcntl is None:
        yield
        return
    held = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(held)
        raise RunFilesError(
            f"another process is writing to {folder}; wait until it has ended, or choose another --run-id"
        ) from None
    except OSError:
        pass  # this file system has no locks
    try:
        yield
    finally:
        os.close(held)
