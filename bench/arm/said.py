"""What a backend says of itself, checked as it comes: a plugin may say anything.

What is not as `kernels.api.Backend` has it raises TypeError in one line, and is its own cell's reason.
"""

from __future__ import annotations

import operator
from typing import Any

from bench.messages import MOST_THREADS
from bench.text.foreign import plain

__all__ = ["counts_of", "reason_of", "threads_of", "versions_of"]

_LONGEST = 200
"""Characters of a version."""


def versions_of(told: object) -> dict[str, str]:
    """Of `versions`: text by text; a version that is another object is told by its own text."""
    if isinstance(told, dict) and all(isinstance(name, str) for name in told):
        return {plain(name): plain(str(version)[:_LONGEST]) for name, version in told.items()}
    raise _wrong("versions", told, "a dict by name, as {'numpy': '2.3'}")


def threads_of(told: Any) -> int:
    """Of `set_threads`: the number of threads in effect."""
    count = _whole(told)
    if count is None or not 0 <= count <= MOST_THREADS:
        raise _wrong("set_threads", told, f"the count in effect, 0 to {MOST_THREADS}")
    return count


def reason_of(told: object) -> str:
    """Of `why_not`, where it is not None: a sentence."""
    if isinstance(told, str) and told.strip():
        return str(told)
    raise _wrong("why_not", told, "None or a sentence that says why not")


def counts_of(told: Any) -> dict[str, int]:
    """Of `compile_report`: counts by name."""
    counts = {name: _whole(count) for name, count in told.items()} if isinstance(told, dict) else {"": None}
    found = {name: count for name, count in counts.items() if isinstance(name, str) and count is not None}
    if found.keys() != counts.keys() or min(found.values(), default=0) < 0:
        raise _wrong("compile_report", told, "a dict of counts by name, as {'cache_hit': 1}")
    return found


def _whole(told: Any) -> int | None:
    try:
        return operator.index(told)
    except TypeError:
        return None


def _wrong(method: str, told: object, wanted: str) -> TypeError:
    return TypeError(f"{method} returned {repr(told)[:80]}; wanted {wanted}")
