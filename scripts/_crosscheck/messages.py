"""What crosscheck asks a backend's process, and what it answers."""

from __future__ import annotations

from dataclasses import dataclass

from bench.channel import Request
from kernels.api import Case
from scripts._crosscheck.checking import About, Outcome

__all__ = ["Checked", "Try"]


@dataclass(frozen=True, slots=True)
class Checked:
    """What came of a case, and what the backend says of itself."""

    outcome: Outcome
    about: About


@dataclass(frozen=True, slots=True)
class Try(Request[Checked]):
    """Try the backend on a case, and begin no further trial after so many seconds.

    `plugins` maps names to ``MODULE:CLASS``.
    """

    backend: str
    plugins: dict[str, str]
    case: Case
    seconds: float
