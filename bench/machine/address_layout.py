"""Processes that begin with one and the same layout of their address space.

Linux places the stack, heap and libraries of each process at random (ASLR).  Where they lie makes a short call
faster or slower for as long as the process lives, so identical arms in two processes would differ.  With one
layout they hardly do.  Google Benchmark (MaybeReenterWithoutASLR) does the same for the same reason.  The price:
we cannot tell how much this layout favours one implementation.

The arguments and the environment lie above the stack, so their length decides where it begins (Mytkowicz et al.,
Producing wrong data without doing anything obviously wrong!, ASPLOS 2009).  One more letter can change a call's
time, so the environment is filled up to one length for all arms.
"""

from __future__ import annotations

import ctypes
import os
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

__all__ = ["HASH_SEED", "can_be_fixed", "filled_up", "fixed_layout"]

_ADDR_NO_RANDOMIZE = 0x0040000  # linux/personality.h
_ASK = 0xFFFFFFFF

HASH_SEED = {"PYTHONHASHSEED": "0"}
"""Python, too, draws a number at each start, on which the order of its sets depends."""

_FILLER = "RELU_BENCH_FILLER"
_BYTES = 4096
"""What a variant's variables may add to the environment's text without moving the stack: a page is plenty."""
_VARIABLES = 64
"""How many variables a variant may add, eight bytes each on the stack, without moving it."""


def filled_up(environ: Mapping[str, str], shared: Mapping[str, str]) -> dict[str, str]:
    """`environ` with variables besides that mean nothing, so that the stack begins where all arms have it.

    `shared` is what all arms have.  Number and length are filled up counting from there: a multiple of some number
    alone would be crossed by one variable more where `shared` ends just before it.
    """
    missing = -(len(environ) + 1 - len(shared)) % _VARIABLES
    filled = {**environ, **{f"{_FILLER}_{number}": "" for number in range(missing)}, _FILLER: ""}
    filled[_FILLER] = "x" * (-(_size(filled) - _size(shared)) % _BYTES)
    return filled


def _size(environ: Mapping[str, str]) -> int:
    """Bytes of its text; each entry ends with a zero byte."""
    return sum(len(os.fsencode(f"{name}={value}")) + 1 for name, value in environ.items())


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
