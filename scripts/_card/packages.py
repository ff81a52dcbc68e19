"""Which packages a Python lacks: ``python -m scripts._card.packages DEVICE`` prints what brings them, as JSON.

It runs in the interpreter that will measure, and needs nothing but the standard library there.
"""

from __future__ import annotations

import importlib.metadata
import json
import re
import sys
import tomllib
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

__all__ = ["DRAWING", "lacking", "main", "requirements"]

DRAWING = ("tabulate", "altair", "vl-convert-python", "jinja2")
"""Packages that only draw, or print tables in markdown."""
_CARDS = "cuda"
"""The extra of pyproject.toml that is for cards."""
_NAME = re.compile(r"[\w.-]+")
_EXTRA = re.compile(r"extra\s*==\s*['\"](\w+)['\"]")


def requirements(device: str) -> list[str]:
    """What the suite asks pip for, and on a card what it needs there besides: lines such as ``numpy>=2.1``."""
    extra = "" if device == "cpu" else _CARDS
    page = Path(__file__).resolve().parents[2] / "pyproject.toml"
    if page.is_file():
        project = tomllib.loads(page.read_text(encoding="utf-8"))["project"]
        return [*project["dependencies"], *project["optional-dependencies"].get(extra, ())]
    return list(_installed(importlib.metadata.requires("relu-bench") or (), extra))


def _installed(lines: Iterable[str], extra: str) -> Iterator[str]:
    """Those of a distribution's requirements that are for everybody or for that extra."""
    for line in lines:
        asked, _, marker = line.partition(";")
        named = _EXTRA.search(marker)
        if named is None or named[1] == extra:
            yield asked.strip()


def lacking(asked: Iterable[str], version_of: Callable[[str], str | None]) -> dict[str, str]:
    """What is missing or too old, by name, with what pip is to be asked for."""
    found = {}
    for line in asked:
        match = _NAME.match(line)
        if match is not None and not _serves(line, version_of(match[0])):
            found[match[0]] = line
    return found


def _serves(line: str, version: str | None) -> bool:
    """Whether a version is what a requirement asks for; an unknown rule is taken to be kept."""
    if version is None:
        return False
    try:
        from packaging.requirements import Requirement  # noqa: PLC0415  # pytest brings it
    except ModuleNotFoundError:
        return True
    return Requirement(line).specifier.contains(version, prereleases=True)


def _version(name: str) -> str | None:
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return None


def main(device: str) -> None:
    """Print what this Python lacks."""
    json.dump(lacking(requirements(device), _version), sys.stdout)


if __name__ == "__main__":
    main(sys.argv[1])
