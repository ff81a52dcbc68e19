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

    def visit(self, left_s: float, least_s: float, now: float) -> bool:
        """Another visit begins, with so much time left, `least_s` at least: whether the end is to be said anew.

        Only what is sure counts for that.  The first visits of a run are of small cases, and where others had the
        machine meanwhile, all that is foreseen of large ones is several times too long.
        """
        self._visits += 1
        if self._visits <= _FIRST_VISITS or now - self._began + least_s <= _KEPT * self._seconds:
            return False
        self._seconds = now - self._began + max(left_s, least_s)
        return True
