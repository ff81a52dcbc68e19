"""From when on there is no answer: what the page and the advice refuse to say of a run, and its end warns of."""

from __future__ import annotations

__all__ = ["HOPELESS_FLOOR", "LARGEST_FLOOR", "MOST_DISTURBED", "is_clear"]

MOST_DISTURBED = 0.5
"""From this share of batches beside others' work on, what was timed is others' work as well."""
LARGEST_FLOOR = 0.2
"""Who cannot see a difference of a fifth cannot say what to use."""
HOPELESS_FLOOR = 0.5
"""A run that would not have seen a difference of a half tells nothing, whatever came out."""


def is_clear(word: str, lo: float, hi: float, floor: float) -> bool:
    """Whether a gain is so far beyond what would have been seen (`floor`) that a coarse run tells it.

    The verdict `word` and the interval are of a ratio.  The page has the same rule (gains.js).
    """
    if floor > HOPELESS_FLOOR:
        return False
    clear = 1 + 2 * floor
    return (word == "faster" and lo > clear) or (word == "slower" and hi < 1 / clear)
