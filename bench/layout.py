"""Processes that begin with one and the same layout of their address space.

Linux places stack, heap and libraries of each process at random (ASLR), and where they come to lie costs or
spares a process some per cent of a short call for as long as it lives: identical arms in two processes
differed by up to 2 % (torch_eager, 1Ki) and by 5 to 8 % (numba_parallel, 1Ki), and by less than 1 % with one
layout.  Google Benchmark (MaybeReenterWithoutASLR) does the same for the same reason.  The price: what this one
layout is worth to an implementation is not seen either.
"""

from __future__ import annotations

import ctypes
import sys
from collections.abc import Iterator
from contextlib import contextmanager

__all__ = ["HASH_SEED", "can_be_fixed", "fixed_layout"]

_ADDR_NO_RANDOMIZE = 0x0040000  # linux/personality.h
_ASK = 0xFFFFFFFF

HASH_SEED = {"PYTHONHASHSEED": "0"}
"""Python, too, draws a number at each start, on which the order of its sets depends."""


def can_be_fixed() -> bool:
    """Whether the kernel lets us; some containers forbid it."""
    with fixed_layout() as fixed:
        return fixed


@contextmanager
def fixed_layout() -> Iterator[bool]:
    """Processes that this thread starts inside begin with the same layout; yields whether that is so.

    The flag is the thread's own and is read when a program is executed, so nothing changes here.
    """
    if sys.platform != "linux":
        yield False
        return
    personality = ctypes.CDLL(None).personality
    personality.argtypes = [ctypes.c_ulong]
    before = personality(_ASK)
    if before == -1 or personality(before | _ADDR_NO_RANDOMIZE) == -1:
        yield False
        return
    try:
        yield True
    finally:
        personality(before)
