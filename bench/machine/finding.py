"""What one check found: how bad it is, what was measured, what that does to results, how to mend it."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

__all__ = ["OK", "PROBLEM", "WARNING", "Finding", "read"]

OK = "ok"
"""Nothing to do."""
WARNING = "warning"
"""Results will be worse, or fewer."""
PROBLEM = "problem"
"""Something does not run."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One line of the report.

    status    `OK`, `WARNING` or `PROBLEM`
    measured  what was seen, in a sentence
    effect    what it does to results; "" where it is ok
    mend      what to do about it, a command where there is one; "" where there is nothing to do
    figures   the numbers behind it, with their units in the names
    """

    name: str
    status: str
    measured: str
    effect: str = ""
    mend: str = ""
    figures: dict[str, Any] = field(default_factory=dict)


def read(path: Path | str) -> str | None:
    """The text of a file of the system; None if it is not there, or not for us to read."""
    try:
        return Path(path).read_text(encoding="utf-8", errors="replace").strip()
    except OSError:
        return None
