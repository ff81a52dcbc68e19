"""Any loop of `kernels.tuned.loops` on Numba's threads: one driver for each way to cut the work.

A parallel region takes Numba far longer to compile than a loop, so the drivers take the loop as an address and
call it for each chunk.  In a forked process, where there are no threads, it is called once for everything.
"""

from __future__ import annotations

import functools
import os
import threading
from collections.abc import Callable
from typing import Any

import numpy as np
from llvmlite import ir  # type: ignore[import-untyped]  # it carries no type hints
from numba import prange, types
from numba.core import cgutils
from numba.extending import intrinsic

from kernels.numba_cpu import threads
from kernels.numba_cpu.entry import Entry, entry_of, jit
from kernels.tuned.loops import LINE_TYPE, STRIDED_TYPE, TILES_TYPE

__all__ = ["driver", "driver_cache_hit", "safe_driver"]

_WORD = types.intp
_SHARE = (_WORD, _WORD, _WORD, _WORD, _WORD)


def _emit_call(_: Any, loop: Any, arguments: Any) -> Any:
    """Call the loop at that address with a tuple of arguments, which have its types."""
    wanted = types.void(*arguments)

    def generate(context: Any, builder: ir.IRBuilder, _: Any, values: Any) -> Any:
        convention = context.call_conv
        kind = convention.get_function_type(wanted.return_type, wanted.args)
        address = builder.inttoptr(values[0], kind.as_pointer())
        unpacked = cgutils.unpack_tuple(builder, values[1])  # type: ignore[no-untyped-call]  # Numba's own
        convention.call_function(builder, address, wanted.return_type, wanted.args, unpacked)
        return context.get_dummy_value()

    return types.void(loop, arguments), generate


_call: Any = intrinsic(_emit_call)


def _emit_is_set(_: Any, address: Any) -> Any:
    """Whether the byte at that address is not 0."""

    def generate(context: Any, builder: ir.IRBuilder, _: Any, values: Any) -> Any:
        byte = ir.IntType(8)
        found = builder.load(builder.inttoptr(values[0], byte.as_pointer()))
        return builder.icmp_unsigned("!=", found, ir.Constant(byte, 0))

    return types.boolean(address), generate


_is_set: Any = intrinsic(_emit_is_set)


# Inside prange an index may be unsigned, and unsigned with signed makes a float: hence np.intp.


def _line(target, a, b, n, slope, chunk, threads, loop, item, forked):  # type: ignore[no-untyped-def]  # noqa: PLR0917  # a signature's
    if _is_set(forked):
        _call(loop, (target, a, b, n, slope))
        return
    head = (-target & 63) // item  # chunks end at cache lines of the target
    parts = max((n - head + chunk - 1) // chunk, 1)
    for thread in prange(threads):
        for part in range(np.intp(thread), parts, threads):
            low = head + part * chunk if part else 0
            skip, count = low * item, min(n, head + (part + 1) * chunk) - low
            _call(loop, (target + skip, a + skip, b + skip, count, slope))


def _pairs(target, a, b, n, slope, chunk, threads, loop, item, forked):  # type: ignore[no-untyped-def]  # noqa: PLR0917  # as above
    if _is_set(forked):
        _call(loop, (target, a, b, n, slope))
        return
    head = (-target & 63) // item
    parts = max((n - head + chunk - 1) // chunk, 1)
    for thread in prange(threads):
        for part in range(np.intp(thread), parts, threads):
            low = head + part * chunk if part else 0
            skip, count = low * item, min(n, head + (part + 1) * chunk) - low
            _call(loop, (target + skip, a + 2 * skip, b + 2 * skip, count, slope))


def _strided(target, a, b, n, slope, to, by_a, by_b, chunk, threads, loop, item, forked):  # type: ignore[no-untyped-def]  # noqa: PLR0917  # as above
    if _is_set(forked):
        _call(loop, (target, a, b, n, slope, to, by_a, by_b))
        return
    for thread in prange(threads):
        for part in range(np.intp(thread), (n + chunk - 1) // chunk, threads):
            low = part * chunk
            count = min(n - low, chunk)
            _call(loop, (target + low * to, a + low * by_a, b + low * by_b, count, slope, to, by_a, by_b))


def _tiles(target, a, b, rows, slope, columns, pitch, chunk, threads, loop, item, forked):  # type: ignore[no-untyped-def]  # noqa: PLR0917  # as above
    if _is_set(forked):
        _call(loop, (target, a, b, rows, slope, columns, pitch))
        return
    for thread in prange(threads):
        for part in range(np.intp(thread), (rows + chunk - 1) // chunk, threads):
            low = part * chunk
            skip, count = low * item, min(rows - low, chunk)
            _call(loop, (target + skip * columns, a + skip, b + skip, count, slope, columns, pitch))


def _bits(target, a, b, n, slope, chunk, threads, loop, item, forked):  # type: ignore[no-untyped-def]  # noqa: PLR0917  # as above
    if _is_set(forked):
        _call(loop, (target, a, b, n, slope))
        return
    for thread in prange(threads):
        for part in range(np.intp(thread), (n + chunk - 1) // chunk, threads):
            low = part * chunk
            skip, count = low * item, min(n - low, chunk)
            _call(loop, (target + skip, a + skip, b + low // 8, count, slope))


_DRIVERS: dict[str, tuple[Callable[..., None], Any]] = {
    "line": (_line, LINE_TYPE),
    "pairs": (_pairs, LINE_TYPE),
    "strided": (_strided, STRIDED_TYPE),
    "tiles": (_tiles, TILES_TYPE),
    "save": (_bits, LINE_TYPE),
    "restore": (_bits, LINE_TYPE),
}


@functools.cache
def _compiled(shape: str) -> Any:
    function, signature = _DRIVERS[shape]
    return jit(function, f"driver{function.__name__}", types.void(*signature.args, *_SHARE), parallel=True)


def driver(shape: str) -> Entry:
    """A loop's arguments, followed by ``(chunk, threads, loop, itemsize, forked)``.

    The threads take chunks of so many elements (tiles: rows; save, restore: a multiple of 8) in turn;
    `loop` comes from `native`; `forked` is `threads.FORKED_AT`.
    """
    return entry_of(_compiled(shape))


def driver_cache_hit(shape: str) -> bool:
    """Whether the driver came from the on-disk cache."""
    return bool(_compiled(shape).stats.cache_hits)


_lock = threading.Lock()


def _renew_lock() -> None:
    global _lock  # noqa: PLW0603  # another thread may have held it as the process forked
    _lock = threading.Lock()


if hasattr(os, "register_at_fork"):  # not on Windows
    os.register_at_fork(after_in_child=_renew_lock)


@functools.cache
def safe_driver(shape: str) -> Entry:
    """As `driver`, for any number of Python threads at once.

    Numba's fallback layer, "workqueue", ends the process when two threads meet in it; there, and only
    there, one waits for the other.
    """
    entry = driver(shape)
    if threads.layer() != "workqueue":
        return entry

    def locked(*arguments: Any) -> None:
        with _lock:
            entry(*arguments)

    return locked
