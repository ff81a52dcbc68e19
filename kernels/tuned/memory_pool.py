"""A bounded pool of memory for large results, so that a call does not pay for fresh pages.

The first write to each page of a new mapping is a page fault: for a large result that takes longer
than ReLU itself.  So large results come from blocks that are mapped once, with huge pages
where the kernel has them, and kept when their arrays are gone.

- What it costs: after use, up to `limit` bytes stay mapped and resident although no array is alive;
  by default an eighth of the physical memory, at most 1 GiB.
- How to switch it off: RELU_BENCH_POOL_BYTES=0 in the environment before the first large result; any
  other whole number is the limit in bytes.
- What is promised: memory is handed out again only when the array and everything that was made from
  it (views, memoryviews, tensors that share it) is gone.  Two live results never share memory.
  An address kept without its array is worth nothing afterwards, as with any NumPy array.
"""

from __future__ import annotations

import contextlib
import functools
import math
import mmap
import os
import threading
import weakref
from collections import OrderedDict, deque
from dataclasses import dataclass, field
from typing import Any

import numpy as np

__all__ = ["ENVIRONMENT", "Pool", "default_limit", "shared"]

Array = np.ndarray[Any, Any]

ENVIRONMENT = "RELU_BENCH_POOL_BYTES"
_HUGE = 2 << 20
"""Bytes of a huge page on x86-64 and ARM64."""
_MOST = 1 << 30
"""Bytes that are kept at most where nobody says otherwise."""


@dataclass(eq=False, slots=True)
class _Block:
    """One mapping; `start` is where its first huge page begins."""

    memory: mmap.mmap
    size: int
    start: int
    watch: weakref.ref[Array] | None = field(default=None)


class Pool:
    """Blocks of memory that are lent as arrays and come back by themselves.  Thread-safe."""

    def __init__(self, limit: int) -> None:
        self.limit = limit
        """Bytes that are kept while nobody uses them."""
        self._lock = threading.Lock()
        self._lent: set[_Block] = set()  # or the cycle collector would take a block with its weakref
        self._idle: OrderedDict[_Block, None] = OrderedDict()  # the longest idle first
        self._idle_bytes = 0
        # A block comes back wherever its last array dies, perhaps in this very thread while it
        # holds the lock; appending to a deque needs none.
        self._returned: deque[_Block] = deque()

    def empty(self, shape: tuple[int, ...], dtype: np.dtype[Any], order: Any = "C") -> Array:
        """An uninitialised array on a 64-byte line, contiguous in `order`; its memory returns to the pool."""
        size = math.prod(shape) * dtype.itemsize
        if size == 0 or size > self.limit:
            return np.empty(shape, dtype, order)
        room = _rounded(size)
        block = self._take(room) or _mapped(room)
        # Everything derived from the result refers to `owner`, for which NumPy makes it the base.
        owner = np.frombuffer(block.memory, np.uint8, size, block.start)
        block.watch = weakref.ref(owner, lambda _: self._returned.append(block))
        self._lent.add(block)
        return np.ndarray(shape, dtype, owner, order=order)

    def idle_bytes(self) -> int:
        """Bytes that are kept and that no array uses."""
        with self._lock:
            self._collect()
            return self._idle_bytes

    def renew_lock(self) -> None:
        """For a forked process: a thread that is not in it may have held the lock."""
        self._lock = threading.Lock()

    def _take(self, size: int) -> _Block | None:
        with self._lock:
            self._collect()
            # The last one to come back is the likeliest to be in a cache still.
            block = next((block for block in reversed(self._idle) if block.size == size), None)
            if block is not None:
                del self._idle[block]
                self._idle_bytes -= size
            return block

    def _collect(self) -> None:
        """Take in what came back, and let go of the longest idle beyond the limit.  Needs the lock."""
        while self._returned:
            block = self._returned.popleft()
            block.watch = None
            self._lent.discard(block)
            self._idle[block] = None
            self._idle_bytes += block.size
        while self._idle_bytes > self.limit:
            oldest, _ = self._idle.popitem(last=False)
            self._idle_bytes -= oldest.size


@functools.cache
def shared() -> Pool:
    """The pool that `numba_tuned` uses, with the limit from the environment."""
    pool = Pool(default_limit())
    if hasattr(os, "register_at_fork"):  # not on Windows
        os.register_at_fork(after_in_child=pool.renew_lock)
    return pool


def default_limit() -> int:
    """Bytes: RELU_BENCH_POOL_BYTES, else an eighth of the physical memory, at most 1 GiB.

    Raises ValueError where the variable is not a whole number, 0 or more.
    """
    text = os.environ.get(ENVIRONMENT)
    if text is None:
        physical = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
        return min(_MOST, physical // 8)
    if not text.strip().isdecimal():
        raise ValueError(
            f"{ENVIRONMENT} is {text!r}; it is a whole number of bytes, 0 to switch the pool off"
        )
    return int(text)


def _rounded(size: int) -> int:
    """The block size for `size`: an eighth of a power of two upwards, so that few sizes are many blocks."""
    step = max(1 << max(size.bit_length() - 4, 0), mmap.PAGESIZE)
    return -(-size // step) * step


def _mapped(size: int) -> _Block:
    room = _HUGE if size >= _HUGE else 0
    # Python's default is shared memory, which has no huge pages and which forked processes write together.
    flags = {"flags": mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS} if hasattr(mmap, "MAP_PRIVATE") else {}
    memory = mmap.mmap(-1, size + room, **flags)
    if not room:
        return _Block(memory, size, 0)
    if hasattr(mmap, "MADV_HUGEPAGE"):
        with contextlib.suppress(OSError):  # a kernel without huge pages
            memory.madvise(mmap.MADV_HUGEPAGE)
    address = np.frombuffer(memory, np.uint8).ctypes.data
    return _Block(memory, size, -address % _HUGE)
