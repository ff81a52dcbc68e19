"""Memory that is written so that nothing else is left in the caches.

A process has it once, for all its cases: twice the last-level cache can be half a gigabyte, and the first touches of
that take seconds.
"""

from __future__ import annotations

import numpy as np

__all__ = ["let_go", "write"]

_HELD: dict[str, np.ndarray] = {}


def write(nbytes: int) -> None:
    """Write at least so many bytes.  Written lines have to be kept somewhere; those only read may pass caches by."""
    held = _HELD.get("all")
    if held is None or held.nbytes < nbytes:
        held = _HELD["all"] = np.zeros(nbytes, np.uint8)
    np.add(held, 1, out=held)


def let_go() -> None:
    """Give the memory back; the next `write` takes it anew."""
    _HELD.clear()
