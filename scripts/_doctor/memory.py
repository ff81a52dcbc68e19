"""What fresh memory costs, with and without huge pages, and how fast memory can be copied."""

from __future__ import annotations

import ctypes
import mmap
import re
import time
from concurrent.futures import ThreadPoolExecutor

import psutil

from bench.machine.environment import last_level_cache, usable_cpus
from bench.machine.finding import OK, WARNING, Finding, read

__all__ = ["bandwidth", "pages"]

_TOUCHED = 256 << 20
_REPEATS = 5
_THP = "/sys/kernel/mm/transparent_hugepage/enabled"


def pages() -> Finding:
    """Seconds for the first write to fresh memory, in small and in huge pages."""
    setting = read(_THP)
    chosen = re.search(r"\[(\w+)\]", setting or "")
    mode = chosen[1] if chosen else "not shown"
    size = _room(_TOUCHED, 1)
    if not size:
        return Finding("huge pages", WARNING, "less than 64 MiB of memory are free, so nothing was measured")
    small = _first_touch(size, "MADV_NOHUGEPAGE") or _touched(size, None)
    huge = _first_touch(size, "MADV_HUGEPAGE")
    figures = {"setting": mode, "bytes": size, "small_pages_s": small, "huge_pages_s": huge}
    said = f"setting {mode}; first write to {size >> 20} MiB: {1e3 * small:.0f} ms in small pages"
    if huge is None:
        return Finding("huge pages", OK, f"{said}; this system has no advice for huge pages", figures=figures)
    said += f", {1e3 * huge:.0f} ms where huge ones were asked for ({small / huge:.1f}x)"
    if mode != "never":
        return Finding("huge pages", OK, said, figures=figures)
    effect = "placement new pays for every small page of a large result, and settings that ask for huge ones do nothing"
    return Finding("huge pages", WARNING, said, effect, f"echo madvise | sudo tee {_THP}", figures)


def bandwidth() -> Finding:
    """Bytes per second of a copy between arrays larger than the caches, by one thread and by all."""
    threads = usable_cpus()
    size = _room(max(64 << 20, 2 * last_level_cache()), 2)
    if not size:
        return Finding("memory", WARNING, "less than 128 MiB of memory are free, so nothing was measured")
    one, many = _copy(size, 1), _copy(size, threads) if threads > 1 else None
    figures = {"bytes": size, "one_thread_gb_per_s": one, "all_threads_gb_per_s": many, "threads": threads}
    said = f"copying {size >> 20} MiB reads and writes {one:.1f} GB/s with one thread"
    if many is None:
        return Finding("memory", OK, said, figures=figures)
    said += f", {many:.1f} GB/s with {threads}"
    if many > 1.1 * one:
        return Finding("memory", OK, said, figures=figures)
    effect = "one thread takes all that memory gives (or others do): beyond the caches parallel kernels gain nothing"
    return Finding(
        "memory", WARNING, said, effect, "end other programs; else nothing: it is the machine", figures
    )


def _room(wanted: int, arrays: int) -> int:
    """The bytes of each of so many arrays: what is wanted, or a quarter of what is free; 0 for too little."""
    size = min(wanted, int(psutil.virtual_memory().available) // (4 * arrays)) & -(1 << 21)
    return size if size >= 64 << 20 else 0


def _first_touch(size: int, advice: str) -> float | None:
    """Seconds of the first write after that advice; None where the system does not take it."""
    flag = getattr(mmap, advice, None)
    if flag is None:
        return None
    try:
        return _touched(size, flag)
    except OSError:
        return None


def _private(size: int) -> mmap.mmap:
    """Memory as an allocator asks for it; Python's own default is shared, which has other rules for huge pages."""
    if not hasattr(mmap, "MAP_PRIVATE"):
        return mmap.mmap(-1, size)
    return mmap.mmap(-1, size, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)


def _touched(size: int, flag: int | None) -> float:
    times = []
    for _ in range(2):
        with _private(size) as block:
            if flag is not None:
                block.madvise(flag)
            view = ctypes.c_char.from_buffer(block)
            begin = time.perf_counter()
            ctypes.memset(ctypes.addressof(view), 1, size)
            times.append(time.perf_counter() - begin)
            del view
    return min(times)


def _copy(size: int, threads: int) -> float:
    """GB/s, each byte counted when read and when written; the best of some copies."""
    with _private(size) as source, _private(size) as target, ThreadPoolExecutor(threads) as pool:
        views = [ctypes.c_char.from_buffer(block) for block in (source, target)]
        origin, goal = (ctypes.addressof(view) for view in views)
        part = size // threads
        times = []
        for _ in range(_REPEATS + 1):  # the first one touches the pages
            begin = time.perf_counter()
            done = [
                pool.submit(ctypes.memmove, goal + n * part, origin + n * part, part) for n in range(threads)
            ]
            for each in done:
                each.result()
            times.append(time.perf_counter() - begin)
        del views
    return 2 * part * threads / min(times[1:]) / 1e9
