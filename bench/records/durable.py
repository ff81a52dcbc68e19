"""Bytes on the disk, all of them or none: a full disk, a kill or a power cut leaves nothing half-written.

Symbolic links are never written through, and what is no file, a pipe for instance, is not waited for.
"""

from __future__ import annotations

import contextlib
import errno
import os
import stat
from collections.abc import Iterable
from pathlib import Path

__all__ = ["append", "read", "replace", "sync"]

_OWN_FILE = getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_BINARY", 0)
"""Flags of `os.open`: no link, and bytes as they are, where the system knows of that."""


def append(path: Path, data: bytes, *, synced: bool = True) -> int:
    """Add `data` to a file that is there.  A write that fails, or is interrupted, is undone.

    It is on the disk then, or, if not `synced`, with the system, which a kill of the process does not harm.
    Returns the byte that `data` begins with.  Raises OSError.
    """
    file = _opened(path, os.O_WRONLY | os.O_APPEND | _OWN_FILE)
    try:
        before = os.fstat(file).st_size
        try:
            _write(file, data)
            if synced:
                os.fsync(file)
        except BaseException:
            os.ftruncate(file, before)
            raise
    finally:
        os.close(file)
    return before


def sync(path: Path) -> None:
    """Bring what was appended to a file down to the disk.  Raises OSError."""
    file = _opened(path, os.O_WRONLY | os.O_APPEND | _OWN_FILE)
    try:
        os.fsync(file)
    finally:
        os.close(file)


def read(path: Path) -> bytes:
    """All of a file.  Raises OSError."""
    with open(_opened(path, os.O_RDONLY | getattr(os, "O_BINARY", 0)), "rb") as file:
        return file.read()


def _opened(path: Path, flags: int) -> int:
    """The file at `path`, opened at once.  Raises OSError, also where it is none: opening a pipe may take for ever."""
    file = os.open(path, flags | getattr(os, "O_NONBLOCK", 0))
    mode = os.fstat(file).st_mode
    if not stat.S_ISREG(mode):
        os.close(file)
        raise (
            IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), str(path))
            if stat.S_ISDIR(mode)
            else OSError(errno.EINVAL, "Not a file", str(path))
        )
    return file


def replace(path: Path, data: bytes | Iterable[bytes]) -> None:
    """Make `path` a file of `data`, or of its pieces; until it is whole on the disk, what was there stays.

    The file keeps its permissions; what was a link becomes a file.  Raises OSError, which names `path`.
    """
    draft = path.with_name(f"{path.name}.part")
    try:
        _write_draft(draft, path, (data,) if isinstance(data, bytes) else data)
        draft.replace(path)
    except BaseException as error:
        with contextlib.suppress(OSError):
            draft.unlink(missing_ok=True)
        if isinstance(error, OSError):
            raise OSError(error.errno, error.strerror, str(path)) from error
        raise
    _sync_folder(path.parent)


def _write_draft(draft: Path, path: Path, pieces: Iterable[bytes]) -> None:
    draft.unlink(missing_ok=True)  # of a process that was killed
    file = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL | _OWN_FILE, 0o666)
    try:
        if path.is_file() and not path.is_symlink():
            draft.chmod(path.stat().st_mode)
        for piece in pieces:
            _write(file, piece)
        os.fsync(file)
    finally:
        os.close(file)


def _sync_folder(folder: Path) -> None:
    """Bring the names in `folder` down to the disk, where the system can."""
    if not hasattr(os, "O_DIRECTORY"):
        return
    opened = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(opened)
    except OSError:
        pass  # some file systems sync no folders: their names are as safe as they get
    finally:
        os.close(opened)


def _write(file: int, data: bytes) -> None:
    rest = memoryview(data)
    while rest:
        rest = rest[os.write(file, rest) :]
