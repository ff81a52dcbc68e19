"""Whether two runs were made under the same conditions, and what differs if they were not."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from bench.machine.environment import CARD_MODELS, DIFFERS
from bench.records.reading import ReadError
from bench.stats.verdicts import RESOLVE
from scripts._shared.remarks import clean

__all__ = ["differences", "read_environment", "remarks", "resolve_of"]

_TELL = ("libc", "governor", "environ")  # move figures too, but a user may change them on purpose
_LONGEST = 60
Environment = Mapping[str, Any]


def read_environment(cells_csv: Path) -> Environment | None:
    """The environment.json beside a run's cells.csv; None if there is none.

    Raises ReadError, one line, for a file that is no such thing.
    """
    path = cells_csv.with_name("environment.json")
    if cells_csv.name != "cells.csv" or not path.exists():
        return None
    try:
        found = json.loads(path.read_bytes())
    except OSError as error:
        raise ReadError(f"{path}: cannot be read: {error.strerror or error}") from error
    except (ValueError, RecursionError) as error:
        raise ReadError(f"{path}: not JSON ({error}); restore it, or delete it") from error
    if not isinstance(found, dict):
        raise ReadError(f"{path}: a JSON object belongs there, not a {type(found).__name__}; delete it")
    return found


def resolve_of(environment: Environment | None) -> float:
    """The fraction within which arms are the same in a run: what it was asked for, or what is usual."""
    options = (environment or {}).get("options")
    asked = options.get("resolve") if isinstance(options, dict) else None
    return float(asked) if isinstance(asked, float | int) and 0 < asked < 1 else RESOLVE


def differences(old: Environment | None, new: Environment | None) -> list[str]:
    """One line for each entry of `environment.DIFFERS` that differs, and each card; one if a side has none at all."""
    if old is None or new is None:
        if old is new:
            return []
        return [
            f"environment.json: {'OLD' if old is None else 'NEW'} has none, so nothing says what it ran on"
        ]
    return list(_compared(old, new, (*DIFFERS, CARD_MODELS)))


def remarks(old: Environment | None, new: Environment | None) -> list[str]:
    """Sentences on what else a reader should know of the two environments."""
    if old is None and new is None:
        return ["Neither run has an environment.json: only the names of the machines were compared."]
    if old is None or new is None:
        return []
    return [f"Differs as well: {line}." for line in _compared(old, new, _TELL)]


def _compared(old: Environment, new: Environment, names: tuple[str, ...]) -> Iterator[str]:
    for name in names:
        before, after = old.get(name), new.get(name)
        if isinstance(before, dict) and isinstance(after, dict):
            for key in sorted(before.keys() | after.keys()):
                if before.get(key) != after.get(key):
                    yield f"{name}, {key}: {_text(before.get(key))} in OLD, {_text(after.get(key))} in NEW"
        elif before != after:
            yield f"{name}: {_text(before)} in OLD, {_text(after)} in NEW"


def _text(value: Any) -> str:
    text = "nothing" if value is None else clean(value if isinstance(value, str) else json.dumps(value))
    return text if len(text) <= _LONGEST else text[: _LONGEST - 3] + "..."
