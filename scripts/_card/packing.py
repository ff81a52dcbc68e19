"""The folder as it is handed on: few files, of no more than so many bytes, with nobody's names in them."""

from __future__ import annotations

import shutil
from collections.abc import Iterable
from pathlib import Path

from bench.text.private import anonymous
from bench.text.units import bytes_text
from scripts._card.course import LOGS

__all__ = ["MOST_BYTES", "free_folder", "pack", "sizes"]

MOST_BYTES = 100 << 20
"""What a repository's host takes of one file without a word."""
_LOG_BYTES = 256 << 10
"""Of each log its end is kept."""
_TEXTS = ("doctor.json", "crosscheck.csv", "integrity.json", "same.json", "sweep.json")
"""Files whose texts come from frameworks, and may name folders and hosts."""
_SPARED = ("journal.jsonl",)
"""For going on with a run, which a folder that is handed on is not for."""
_LEAST_MISSED = ("logs.txt", "report.html", "rounds.csv")
"""What is left out if everything together is too large, one after the other."""


def free_folder(output: Path, name: str) -> Path:
    """A folder of that name in `output` that is not there yet; with a number where others were made before."""
    folder, number = output / name, 1
    while folder.exists():
        number += 1
        folder = output / f"{name}-{number}"
    return folder


def pack(folder: Path, most_bytes: int = MOST_BYTES) -> list[str]:
    """Make one file of the logs, and leave out what is not needed; a line for each thing that was too large."""
    _join_logs(folder)
    for path in _files(folder):
        if not path.stat().st_size:  # of a step that was ended before it said anything
            path.unlink()
    for name in _SPARED:
        (folder / name).unlink(missing_ok=True)
    for name in _TEXTS:
        _without_names(folder / name)
    told = []
    for name in _LEAST_MISSED:
        if sum(sizes(folder).values()) > most_bytes and (folder / name).exists():
            told.append(
                f"{name} was left out: with its {bytes_text((folder / name).stat().st_size)} it is too much"
            )
            (folder / name).unlink()
    return told


def sizes(folder: Path) -> dict[str, int]:
    """The bytes of each file, by its path in the folder."""
    return {str(path.relative_to(folder)): path.stat().st_size for path in _files(folder)}


def _files(folder: Path) -> Iterable[Path]:
    return sorted(path for path in folder.rglob("*") if path.is_file())


def _join_logs(folder: Path) -> None:
    logs = folder / LOGS
    if not logs.is_dir():
        return
    parts = [f"==== {path.stem} ====\n{_end_of(path)}\n" for path in sorted(logs.iterdir(), key=_begun)]
    (folder / "logs.txt").write_text(_anonymous("".join(parts)), encoding="utf-8")
    shutil.rmtree(logs)


def _begun(path: Path) -> float:
    """Logs are told apart by when they ended."""
    return path.stat().st_mtime


def _end_of(path: Path) -> str:
    with path.open("rb") as file:
        file.seek(max(0, path.stat().st_size - _LOG_BYTES))
        return file.read().decode(errors="replace")


def _without_names(path: Path) -> None:
    if path.is_file():
        text = path.read_text(encoding="utf-8", errors="replace")
        path.write_text(_anonymous(text), encoding="utf-8")


def _anonymous(text: str) -> str:
    """Line by line, without names of this host and user, and of folders."""
    return "\n".join(anonymous(line) for line in text.split("\n"))
