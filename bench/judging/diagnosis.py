"""The name of the trick: what an arm does instead of the work, where that explains a wrong result.

"Off by 3 ULP" sends a reader to the arithmetic; "returns an earlier result again" says where to look.  Nothing here
decides whether a result is wrong: `kernels.correctness.policy` does.
"""

from __future__ import annotations

import itertools
import sys
import time
from collections.abc import Callable, Sequence
from typing import Any

import ml_dtypes
import numpy as np

from kernels.api import Case
from kernels.correctness import policy
from kernels.numbers import host_arrays
from kernels.numbers.floats import bits
from kernels.numbers.ulp import same_bits

__all__ = ["Operands", "host_view", "overlap", "spoil_free_memory", "trick"]

Array = np.ndarray[Any, Any]
Operands = tuple[Array, Array | None]
"""x, and dy in backward."""

_ALWAYS_MAPPED = 32 << 20
"""Bytes from which an array is always mapped anew: glibc's threshold is at most this (mallopt, M_MMAP_THRESHOLD)."""
_LINKS_BYTES = 32
"""What an allocator writes at the beginning of a block while it is free: glibc up to four pointers."""
_LATE_S = 0.05
"""After which a wrong result is looked at again, only to tell late from wrong."""
_LOOKS = 10
"""How often it is, at most, while something of it is not written: a thread may have a queue of calls before it."""
_NARROWER: tuple[Any, ...] = (np.float16, ml_dtypes.bfloat16, np.float32)
"""Formats that an arm may compute in to save time, the narrowest first."""


def host_view(array: Any) -> Any:
    """A plain array on the same memory, where a subclass might compute when it is looked at."""
    return np.asarray(array) if isinstance(array, np.ndarray) else array


def trick(
    case: Case,
    operands: Operands,
    earlier: Sequence[Operands],
    look: Callable[[], Any],
    problem: str,
    *,
    afterwards: Operands | None = None,
) -> str:
    """`problem`, led by the trick that explains it, if one does.

    `operands` are what the call was given, of any shape; `earlier` what calls before it were given, at
    the same elements, `afterwards` what was written over the operands after `sync`; `look` shows the
    result, which may still be under way.  Waits for `_LATE_S`, up to `_LOOKS` times as long where nothing is written.
    """
    result = look()
    if not isinstance(result, np.ndarray) or (result.dtype, result.shape) != (
        operands[0].dtype,
        operands[0].shape,
    ):
        return problem
    seen = result.copy()
    later = _settled(look)
    if policy.judge(case, *operands, later).problem is None:
        return f"returns before the work is done: right after sync, {problem}; a moment later it was right"
    if afterwards is not None and policy.judge(case, *afterwards, later).problem is None:
        return f"returns before the work is done: right for what its input held after sync; {problem}"
    if not same_bits(seen, later):
        return f"returns before the work is done: the result still changed after sync; {problem}"
    named = _unwritten(seen) or _passed_on(operands, seen) or _remembered(case, earlier, seen)
    named = named or _narrowed(operands, seen) or _cut_short(case, operands, seen)
    return f"{named}: {problem}" if named else problem


def _settled(look: Callable[[], Any]) -> Array:
    """The result some time later."""
    for _ in range(_LOOKS):
        time.sleep(_LATE_S)
        later: Array = look().copy()
        if not host_arrays.is_poison(later).any():
            break
    return later


def _unwritten(seen: Array) -> str | None:
    unwritten = host_arrays.is_poison(seen).reshape(-1)
    count = int(unwritten.sum())
    if count == 0:
        return None
    nothing = count == seen.size or (
        unwritten[_LINKS_BYTES // seen.itemsize :].all() and seen.nbytes > _LINKS_BYTES
    )
    return "writes nothing" if nothing else f"writes only a part ({count} of {seen.size} unwritten)"


def _passed_on(operands: Operands, seen: Array) -> str | None:
    for name, operand in zip(("x", "dy"), operands, strict=True):
        if operand is not None and same_bits(operand, seen):
            return f"returns its input {name} as it came"
    return None


def _remembered(case: Case, earlier: Sequence[Operands], seen: Array) -> str | None:
    if any(policy.judge(case, *operands, seen).problem is None for operands in earlier):
        return "returns an earlier result again (right for what an earlier call was given)"
    return None


def _narrowed(operands: Operands, seen: Array) -> str | None:
    """Whether all values fit a narrower format into which the input does not fit."""
    for dtype in _NARROWER:
        if np.dtype(dtype).itemsize >= seen.dtype.itemsize or not _fits(seen, dtype):
            continue
        if not any(_fits(operand, dtype) for operand in operands if operand is not None):
            return f"computes in a lower precision (every value is a {np.dtype(dtype).name})"
    return None


def _fits(values: Array, dtype: Any) -> bool:
    with np.errstate(all="ignore"):
        back = values.astype(dtype).astype(values.dtype)
        return bool(((back == values) | np.isnan(values)).all())


def _cut_short(case: Case, operands: Operands, seen: Array) -> str | None:
    """Whether the result is right up to some element and nothing but zeros from there on."""
    flat = seen.reshape(-1)
    used = int(np.flatnonzero(bits(flat))[-1]) + 1 if bits(flat).any() else 0
    if not 0 < used < flat.size:
        return None
    x, dy = (None if operand is None else operand.reshape(-1)[:used] for operand in operands)
    if x is None or policy.judge(case, x, dy, flat[:used]).problem is not None:
        return None
    return f"writes only a part (zeros from index {used} of {flat.size} on)"


def spoil_free_memory(case: Case) -> None:
    """Leave the poison in the block that the next array of the case's size is likely to get.

    On Linux a large one is always mapped anew, and empty.
    """
    if case.n * case.itemsize > _ALWAYS_MAPPED and sys.platform == "linux":
        return
    for _ in range(2):  # the first one may be a mapping of its own, which is unmapped again
        host_arrays.poison(np.empty(case.n, host_arrays.np_dtype(case.dtype)))


def overlap(arrays: Sequence[Array]) -> bool:
    """Whether any two of the arrays share memory."""
    bounds = sorted(np.lib.array_utils.byte_bounds(array) for array in arrays if array.size)
    return any(end > start for (_, end), (start, _) in itertools.pairwise(bounds))
