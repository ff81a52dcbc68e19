"""Serial, parallel or streaming: the choice, by a table that scripts/tune.py measures.

- ``parallel_from``: elements from which the threads are worth their start, by element, dtype and shape.
- ``pool_from``: bytes of a new result from which it comes from the pool; below, malloc is faster.
- ``streaming_from``: bytes read and written, as a multiple of the last-level cache, from which
  a streaming kernel *followed by a reader of its result* is no slower than a plain one, by direction
  and shape.  Below it the result, or what it displaces, would still have been in the cache.

Memory traffic decides about streaming whatever is computed, so one dtype was measured for all.
RELU_BENCH_STREAMING=off (or on) in the environment overrules the table where streaming is possible at all:
for a program whose results are read at once, and to measure what the choice is worth (scripts/consumer.py).
"""

from __future__ import annotations

import functools
import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from kernels.tuned.bind import Mode, Walk
from kernels.tuned.caches import caches
from kernels.tuned.elements import ELEMENTS
from kernels.tuned.simd import STREAMING

__all__ = [
    "STREAMING_SWITCH",
    "TABLE",
    "Thresholds",
    "choose",
    "direction_of",
    "forced_streaming",
    "thresholds",
    "traffic",
]

TABLE = Path(__file__).with_name("thresholds.json")
STREAMING_SWITCH = "RELU_BENCH_STREAMING"


@dataclass(frozen=True, slots=True)
class Thresholds:
    """The table; a key that it lacks is never parallel, or never streaming."""

    parallel_from: Mapping[str, int]
    streaming_from: Mapping[str, float]
    pool_from: int


@functools.cache
def thresholds() -> Thresholds:
    """The table in the repository."""
    table = json.loads(TABLE.read_text())
    return Thresholds(**table)


@functools.cache
def forced_streaming() -> bool | None:
    """What RELU_BENCH_STREAMING says, read once: on, off, or None where the table decides.

    Raises ValueError for any other value.
    """
    text = os.environ.get(STREAMING_SWITCH, "")
    if text not in ("", "on", "off"):
        raise ValueError(f"{STREAMING_SWITCH} is {text!r}; allowed: on, off, or unset for the measured table")
    return text == "on" if text else None


def direction_of(element: str) -> str:
    """``forward`` or ``backward``."""
    return "backward" if ELEMENTS[element].inputs == 2 else "forward"


def traffic(element: str, walk: Walk, itemsize: int) -> int:
    """Bytes that move between memory and the cores; of every second element, the whole lines."""
    inputs = ELEMENTS[element].inputs * (2 if walk.shape == "pairs" else 1)
    return (inputs + 1) * walk.n * max(walk.columns, 1) * itemsize


def choose(element: str, dtype: str, walk: Walk, itemsize: int, threads: int) -> tuple[Mode, bool]:
    """How to run a loop, and whether streaming stores pay for a target that is not one of its inputs."""
    table = thresholds()
    elements = walk.n * max(walk.columns, 1)
    least = table.parallel_from.get(f"{ELEMENTS[element].like or element} {dtype} {walk.shape}")
    many = threads > 1 and least is not None and elements >= least
    multiple = table.streaming_from.get(f"{direction_of(element)} {walk.shape}")
    moved = traffic(element, walk, itemsize)
    pays = forced_streaming()
    if pays is None:
        pays = multiple is not None and moved >= multiple * caches().last
    return Mode(threads if many else 1), STREAMING and pays
