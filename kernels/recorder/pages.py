"""Page faults: how many a program has, and what one takes in its state.

The first write to a page of fresh memory is a page fault.  How many a call has can be counted; what one takes
changes with the state of the machine's memory, of a virtual one's more, so it is measured while the program runs.
"""

from __future__ import annotations

import mmap
import statistics
import sys
import time
from dataclasses import dataclass

import torch

if sys.platform != "win32":
    import resource

__all__ = ["FEWEST", "MOST_BYTES", "Price", "Spent", "now", "page_faults"]

FEWEST = 256
"""Page faults of a call below which its memory is not fresh: the allocator has kept it (1 MiB in small pages)."""
MOST_BYTES = 64 << 20
"""Of memory that is written to learn what a fault takes."""
_EVERY = 4
"""Steps from one look at the price to the next: with --swap the step after it begins a turn, and does not count."""


@dataclass(frozen=True, slots=True)
class Spent:
    """A reading, or what came between two: seconds, and page faults of this process."""

    s: float
    page_faults: int

    def since(self, earlier: Spent) -> Spent:
        """The difference to an earlier reading."""
        return Spent(self.s - earlier.s, self.page_faults - earlier.page_faults)


def now() -> Spent:
    """This process's reading."""
    return Spent(time.perf_counter(), page_faults())


def page_faults() -> int:
    """Pages that this process was given without reading a disk (getrusage); 0 where the system does not tell."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt if sys.platform != "win32" else 0


class Price:
    """Seconds that a page fault takes, looked at between timed steps."""

    def __init__(self) -> None:
        self.nbytes = 0
        """Of the fresh memory that is written; 0: none is."""
        self._steps = 0
        self._seen: list[float] = []

    def step_ended(self) -> None:
        """Look, after every so many steps."""
        self._steps += 1
        if self.nbytes and self._steps % _EVERY == 0:
            found = _fault_s(self.nbytes)
            self._seen += [] if found is None else [found]

    @property
    def fault_s(self) -> float | None:
        """The median of the looks; None without any."""
        return statistics.median(self._seen) if self._seen else None


def _fault_s(nbytes: int) -> float | None:
    """Of a tensor of `nbytes`: what writing it first takes beyond writing it again, and what letting go of it takes.

    By torch's threads, which share the faults; None where the system has no such memory, or tells no faults.
    """
    if not hasattr(mmap, "MAP_PRIVATE"):
        return None
    memory = mmap.mmap(-1, nbytes, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
    fresh = torch.frombuffer(memory, dtype=torch.float32)
    begun = now()
    fresh.fill_(1.0)
    first = now().since(begun)
    begun = now()
    fresh.fill_(1.0)
    again = now().since(begun)
    begun = now()
    del fresh
    memory.close()
    gone = now().since(begun)
    return max(first.s - again.s + gone.s, 0.0) / first.page_faults if first.page_faults else None
