"""Suggests the nearest allowed word for a typo."""

from __future__ import annotations

import difflib
from collections.abc import Iterable

__all__ = ["did_you_mean", "nearest"]

_ALIKE = 0.5
"""How much of two words has to agree (`difflib`'s ratio): float32 is told to who types fp32."""


def nearest(value: str, allowed: Iterable[str], *, alike: float = _ALIKE) -> str | None:
    """The one of `allowed` that is most like `value`, None where none is; `alike` is from 0 (any) to 1 (the same)."""
    found = difflib.get_close_matches(value, [choice for choice in allowed if choice], n=1, cutoff=alike)
    return found[0] if found else None


def did_you_mean(value: str, allowed: Iterable[str]) -> str:
    """``; did you mean 'x'?`` for the nearest of `allowed`, or an empty string: the end of a message."""
    found = nearest(value, allowed)
    return f"; did you mean {found!r}?" if found else ""
