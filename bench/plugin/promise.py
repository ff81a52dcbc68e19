"""When a run said that it would be done, and whether that has to be said anew."""

from __future__ import annotations

__all__ = ["Promise"]

_KEPT = 1.25
"""A run may take so many times as long as was said."""
_FIRST_VISITS = 3
"""Visits after which it can be foreseen."""


class Promise:
    """A run that is to take `seconds` from `now` on."""

    def __init__(self, seconds: float, now: float) -> None:
        self._seconds, self._began, self._visits = seconds, now, 0

    def visit(self, left_s: float, now: float) -> bool:
        """Another visit begins, with so much time left: whether the end is so far off that it is to be said anew."""
        self._visits += 1
        takes_s = now - self._began + left_s
        if self._visits <= _FIRST_VISITS or takes_s <= _KEPT * self._seconds:
            return False
        self._seconds = takes_s
        return True
