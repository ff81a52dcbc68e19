"""Where runs lie: from what a user types (a directory, a file, a run's id, nothing) to cells.csv."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from bench.records.reading import ReadError
from bench.text.hints import did_you_mean

__all__ = ["INDEX", "find_runs", "has_rows"]

INDEX = "sweep.json"
"""In the folder of a sweep over many machines, whose runs lie beside it."""
_CELLS = "cells.csv"
_REFERENCE = "reference"
"""Committed results of other machines: never "the newest run"."""


def find_runs(names: Sequence[str], results: Path) -> list[Path]:
    """The cells.csv (or whatever file was named) of each of `names`, each once, in their order.

    A name is a run's directory, that of a sweep (for all of its runs), a CSV file, or the id of one of them under
    `results`; no names at all mean the newest run there.  Raises ReadError, one line, for a name that is none of these.
    """
    try:
        found = [path for name in names for path in _find(name, results)] if names else [_newest(results)]
    except OSError as error:
        raise ReadError(f"{error.filename}: cannot be read: {error.strerror}") from error
    return list(dict.fromkeys(found))


def has_rows(path: Path) -> bool:
    """Whether `path` is a file in which anything follows the header: a run that timed nothing has no rounds."""
    if not path.is_file():
        return False
    try:
        with path.open("rb") as file:
            return bool(file.readline()) and bool(file.readline().strip())
    except OSError as error:
        raise ReadError(f"{path}: cannot be read: {error.strerror or error}") from error


def _find(name: str, results: Path) -> list[Path]:
    for path in (Path(name), results / name):
        if name.strip() and path.is_dir():
            if (path / _CELLS).is_file():
                return [path / _CELLS]
            inside = _ids(path)
            if inside and (path / INDEX).is_file():
                return [path / each / _CELLS for each in inside]
            holds = f"it holds the runs {', '.join(inside)}: name one" if inside else "name a run's directory"
            raise ReadError(f"{path}: no {_CELLS} in this directory; {holds}")
        if name.strip() and path.is_file():
            return [path]
    ids = _ids(results)
    known = f"runs under {results}: {', '.join(ids)}" if ids else f"there is no run under {results}"
    raise ReadError(f"{name!r}: no such directory, file or run; {known}{did_you_mean(name, ids)}")


def _newest(results: Path) -> Path:
    files = [results / name / _CELLS for name in _ids(results)]
    if not files:
        raise ReadError(f"no run under {results}/: run `pytest bench/` first, or name a run")
    measured = list(filter(has_rows, files))  # a run that was refused, or ended at once, has none
    return max(measured or files, key=lambda path: path.stat().st_mtime_ns)


def _ids(results: Path) -> list[str]:
    if not results.is_dir():
        return []
    return sorted(
        path.name for path in results.iterdir() if path.name != _REFERENCE and (path / _CELLS).is_file()
    )
