"""What the doctor asks of a process that tries backends, and what it answers.  Needs no package but our own."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from bench.channel import Request
from bench.limits import Seconds

__all__ = ["Family", "Tried", "TryFamily"]


@dataclass(frozen=True, slots=True)
class Tried:
    """What came of one backend: `reason` says why it does not run; the rest is known of one that does."""

    state: Literal["runs", "refuses", "missing", "broken"]
    reason: str = ""
    threads: int | None = None
    seconds: Seconds = 0.0
    versions: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Family:
    """The backends of one framework by name, and the CUDA devices that it sees."""

    backends: dict[str, Tried]
    cards: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class TryFamily(Request[Family]):
    """Try these backends of one framework on `device`; each on the first that it is made for if that is empty."""

    names: tuple[str, ...]
    device: str
