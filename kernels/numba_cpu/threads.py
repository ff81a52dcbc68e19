"""Numba's threads: started without a trace in the rest of the process, counted, and left alone in a forked one.

Three things that Numba does would reach programs that only call a kernel:

- As it starts its threads it sets OpenMP's thread count, which is torch's as well, and everybody else's.
- It also fixes multiprocessing's start method, which the program may not have chosen yet.
- GNU OpenMP does not survive a fork: Numba ends the child, and others wait for threads that are not there.

So `start` puts the first two back, and a forked process computes serially.
"""

from __future__ import annotations

import contextlib
import ctypes
import multiprocessing
import os
import threading
from typing import Any

import numba
from numba.np.ufunc import parallel

__all__ = ["FORKED_AT", "count", "forked", "layer", "limit", "most", "start"]

_forked = ctypes.c_uint8(0)
FORKED_AT = ctypes.addressof(_forked)
"""The address of a byte, for compiled code: 0, or 1 in a forked process."""


_starting = threading.Lock()
"""Looking for OpenMP walks the loaded libraries, and starting threads loads more: two threads that do so at once wait
for ever, the one for Python's lock and the other for the loader's."""


def _mark_forked() -> None:
    global _starting  # noqa: PLW0603  # another thread may have held it as the process forked
    _forked.value = 1
    _starting = threading.Lock()


if hasattr(os, "register_at_fork"):  # not on Windows, which has no fork
    os.register_at_fork(after_in_child=_mark_forked)


def forked() -> bool:
    """Whether this process was forked from one that had imported this module."""
    return bool(_forked.value)


def most() -> int:
    """The NUMBA_NUM_THREADS that Numba was imported with; 1 in a forked process."""
    return 1 if _forked.value else int(numba.config.NUMBA_NUM_THREADS)  # type: ignore[attr-defined]  # set at import


def count() -> int:
    """Threads that a call from this Python thread may use.  Starts none."""
    if _forked.value:
        return 1
    return int(numba.get_num_threads()) if _started() else most()


def limit(threads: int) -> int:
    """Let calls from this Python thread use that many, at most (and for 0) `most`; how many that is."""
    if forked():
        return 1
    start()
    numba.set_num_threads(min(threads, most()) if threads else most())
    return count()


def layer() -> str | None:
    """What the threads belong to: ``omp``, ``tbb`` or ``workqueue``; None while none has been started."""
    return str(parallel.threading_layer()) if _started() else None  # type: ignore[no-untyped-call]  # Numba's own


def start() -> None:
    """Start the threads, if they have not been.  Numba does so as it compiles or loads a parallel function."""
    with _starting:
        if not _started():
            _start()


def _start() -> None:
    with contextlib.suppress(ImportError):  # no such layer on this machine
        from numba.np.ufunc import omppool  # type: ignore[attr-defined]  # noqa: F401, PLC0415  # compiled
    openmp = [(each, each.num_threads) for each in _openmp()]  # of all, that one's included
    method = multiprocessing.get_start_method(allow_none=True)
    numba.get_num_threads()
    for runtime, before in openmp:
        runtime.set_num_threads(before)
    if method is None:
        multiprocessing.set_start_method(None, force=True)


def _started() -> bool:
    # Should Numba drop this name, its threads count as started: it then starts them wherever they are asked about.
    return bool(getattr(parallel, "_is_initialized", True))


def _openmp() -> list[Any]:
    """The OpenMP runtimes in this process: of two copies, Numba may call either, as the linker found them.

    None without threadpoolctl, which kernels can do without.
    """
    try:
        from threadpoolctl import ThreadpoolController  # type: ignore[import-untyped]  # noqa: PLC0415  # see above
    except ImportError:
        return []
    found: list[Any] = ThreadpoolController().select(user_api="openmp").lib_controllers
    return found
