"""The files that steps leave, read as far as they are there: a step may have been ended at any moment."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any

__all__ = ["read_json", "read_rows"]


def read_rows(path: Path) -> list[dict[str, str]]:
    """The whole rows of a CSV file; none where it is not there."""
    try:
        with path.open(encoding="utf-8", newline="") as file:
            return [row for row in csv.DictReader(file) if None not in row.values()]  # a last line may be cut
    except OSError:
        return []


def read_json(path: Path) -> dict[str, Any]:
    """What a step has written; nothing where it was ended before."""
    try:
        found = json.loads(path.read_bytes())
    except (OSError, ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}
