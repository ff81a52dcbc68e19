"""Suggests the nearest allowed words for a typo, and ours for what others call it."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping

__all__ = ["did_you_mean", "nearest", "suggestions"]

_ALIKE = 0.5
"""How much of two words has to agree (`difflib`'s ratio): float32 is told to who types fp32."""
_ELSEWHERE: Mapping[str, str] = {
    "gpu": "cuda",
    "nvidia": "cuda",
    "half": "float16",
    "float": "float32",
    "single": "float32",
    "double": "float64",
    "pytorch": "torch",
}
"""What other programs call it; looked up before the letters are compared."""
_MOST = 3
"""Suggestions at most."""


def suggestions(value: str, allowed: Iterable[str]) -> list[str]:
    """Those of `allowed` that were probably meant, the likeliest first: ``torch`` is the beginning of several."""
    choices = [choice for choice in allowed if choice]
    word = _ELSEWHERE.get(value.lower(), value)
    if word in choices:
        return [word]
    begun = [choice for choice in choices if word and choice.startswith(f"{word}_")]
    if begun:
        return begun[:_MOST]
    found = nearest(value, choices)
    return [found] if found else []


def nearest(value: str, allowed: Iterable[str], *, alike: float = _ALIKE) -> str | None:
    """The one of `allowed` that is most like `value`, None where none is; `alike` is from 0 (any) to 1 (the same)."""
    found = difflib.get_close_matches(value, [choice for choice in allowed if choice], n=1, cutoff=alike)
    return found[0] if found else None


def did_you_mean(value: str, allowed: Iterable[str]) -> str:
    """``; did you mean 'x'?`` for what was probably meant of `allowed`, or an empty string: the end of a message."""
    found = [repr(word) for word in suggestions(value, allowed)]
    if not found:
        return ""
    *first, last = found
    return f"; did you mean {', '.join(first)} or {last}?" if first else f"; did you mean {last}?"
