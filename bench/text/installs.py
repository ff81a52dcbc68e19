"""Which versions an arm ran with, where arms of one backend differ in that."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

__all__ = ["install_lines"]


def install_lines(arms: Iterable[tuple[str, str, str, str]]) -> Iterator[str]:
    """A line for each arm of a backend that ran in several installs; from (backend, label, Python, versions)."""
    found: dict[str, dict[tuple[str, str], str]] = {}
    for backend, label, python, versions in arms:
        if python:
            found.setdefault(backend, {}).setdefault((python, versions), label)
    for installs in found.values():
        if len(installs) > 1:
            yield from (
                f"{label}: Python {python}, {versions}" for (python, versions), label in installs.items()
            )
