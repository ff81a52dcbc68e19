"""The part of a file that a script keeps up to date: what stands between two marker lines."""

from __future__ import annotations

from pathlib import Path

from bench.records import durable
from scripts._shared.cli import UsageError

__all__ = ["MarkerError", "replaced", "update"]


class MarkerError(ValueError):
    """A file whose markers are not one begin followed by one end; one line that says what to add."""


def replaced(content: bytes, text: str, name: str, marker: str = "summary") -> bytes:
    """`content` with `text` between its marker lines, in its own line ends; all else byte for byte.

    A marker, as ``<!-- summary:begin -->``, stands alone on its line.  Raises MarkerError, naming the file as `name`.
    """
    first, last = f"<!-- {marker}:begin -->", f"<!-- {marker}:end -->"
    try:
        lines = content.decode("utf-8").splitlines(keepends=True)
    except UnicodeDecodeError as error:
        raise MarkerError(f"{name}: not UTF-8 text (byte {error.start}); nothing was written") from error
    begin, end = (_only(lines, line, name) for line in (first, last))
    if begin > end:
        raise MarkerError(f"{name}: row {end + 1}: {last} stands before {first}; swap them")
    ending = "\r\n" if lines[begin].endswith("\r\n") else "\n"
    middle = ending.join(["", *text.strip("\n").split("\n"), "", ""])
    return "".join([*lines[: begin + 1], middle, *lines[end:]]).encode("utf-8")


def update(file: Path, text: str, marker: str, *, check: bool) -> int:
    """Put `text` between the markers of `file` and say so; with `check` write nothing.

    Returns the exit status: 1 if `check` finds that the file would change.  Raises UsageError for a file that
    cannot be read or written, and MarkerError.
    """
    try:
        before = file.read_bytes()
        after = replaced(before, text, str(file), marker)
        if before != after and not check:
            if file.is_symlink():
                raise UsageError(f"--update {file}: a symbolic link; name the file itself, {file.resolve()}")
            durable.replace(file, after)
    except OSError as error:
        raise UsageError(f"--update {file}: {error.strerror}") from error
    if before == after:
        print(f"{file}: up to date")
        return 0
    print(f"{file}: {'out of date; run this again without --check' if check else 'updated'}")
    return int(check)


def _only(lines: list[str], marker: str, name: str) -> int:
    found = [number for number, line in enumerate(lines) if line.strip() == marker]
    if len(found) != 1:
        what = "no line" if not found else f"{len(found)} lines (rows {', '.join(str(n + 1) for n in found)})"
        raise MarkerError(f"{name}: {what} with just {marker}; exactly one belongs there")
    return found[0]
