"""How much memory a call needs at its peak beyond what is there before and after it.

The kernel keeps the most pages that a process ever had, and forgets them on request (proc_pid_status, VmHWM;
proc_pid_clear_refs, 5).  Neither needs privileges.  Memory that an allocator or a pool keeps from call to call is there
already: glibc's is handed back first, and that of others is not seen.
"""

from __future__ import annotations

import ctypes
from collections.abc import Callable
from pathlib import Path

__all__ = ["peak_beyond"]

_CLEAR = Path("/proc/self/clear_refs")
_STATUS = Path("/proc/self/status")
_FORGET_PEAK = "5"
_SEEN = 128 << 10
"""A smaller reading counts as nothing: the kernel counts a process's pages in bunches of some dozens."""


def peak_beyond(call: Callable[[], object]) -> int | None:
    """Bytes that `call` needs at its peak besides those that are held when it has returned; about 100 KiB is lost.

    None where the system does not tell.
    """
    _hand_back()
    try:
        _CLEAR.write_text(_FORGET_PEAK)
    except OSError:  # not Linux, or a sandbox
        return None
    call()
    peak = _status_bytes("VmHWM")
    _hand_back()
    now = _status_bytes("VmRSS")
    if peak is None or now is None:
        return None
    return peak - now if peak - now >= _SEEN else 0


def _hand_back() -> None:
    """Give memory that malloc keeps for later back to the system, where malloc is glibc's."""
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
    if trim is not None:
        trim(0)


def _status_bytes(name: str) -> int | None:
    for line in _STATUS.read_text().splitlines():
        if line.startswith(f"{name}:"):
            return int(line.split()[1]) << 10  # in kB
    return None
