"""What was probably meant by an option of ``pytest bench/`` that pytest does not know."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from bench.text.hints import nearest

__all__ = ["misspelt"]

_ALIKE = 0.8
"""``--dtype`` is as like --dtypes as this; ``--durations``, which is pytest's, is less like --directions."""


def misspelt(arguments: Iterable[str], flags: Sequence[str]) -> dict[str, str]:
    """What pytest may add to its error, a line for each of `arguments` that is nearly one of `flags` but none."""
    found = {}
    for word in arguments:
        flag = word.partition("=")[0]
        near = nearest(flag, flags, alike=_ALIKE) if flag.startswith("--") and flag not in flags else None
        if near is not None:
            found[flag] = f"did you mean {near}?"
    return found
