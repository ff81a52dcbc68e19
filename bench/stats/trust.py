"""From when on there is no answer: what the page and the advice refuse to say of a run, and its end warns of."""

from __future__ import annotations

__all__ = ["LARGEST_FLOOR", "MOST_DISTURBED"]

MOST_DISTURBED = 0.5
"""From this share of batches beside others' work on, what was timed is others' work as well."""
LARGEST_FLOOR = 0.2
"""Who cannot see a difference of a fifth cannot say what to use."""
