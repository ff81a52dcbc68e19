"""What limits this process as a member of a control group (Linux: containers, systemd's services, batch systems).

Groups are nested, and each limit above a process holds for it, too.  Elsewhere there are none.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

__all__ = ["cpu_limit", "memory_left", "memory_limit", "throttled"]

_MOUNT = Path("/sys/fs/cgroup")
_OWN = Path("/proc/self/cgroup")
_MEMORY = (
    ("memory.max", "memory.current", "inactive_file"),
    ("memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file"),
)
"""Of version 2 and of version 1: the limit, what is used, and the line of memory.stat with what of it is given back at
once, the pages of files that nobody has touched for a while."""


def memory_limit() -> int | None:
    """Bytes that the process may use at most, by the least limit above it; None without one."""
    return min((limit for limit, _ in _memory()), default=None)


def memory_left() -> int | None:
    """Bytes that can still be had below the limits; None without one."""
    return min((max(limit - used, 0) for limit, used in _memory()), default=None)


def cpu_limit() -> float | None:
    """CPUs whose time the process may use, by the least limit above it; None without one."""
    limits = []
    for folder in _folders("cpu"):
        words = (_read(folder / "cpu.max") or "").split()
        if not words:
            words = [_read(folder / f"cpu.cfs_{name}_us") or "" for name in ("quota", "period")]
        if len(words) == 2 and words[0].isdecimal() and words[1].isdecimal():
            limits.append(int(words[0]) / int(words[1]))
    return min(limits, default=None)


def throttled() -> int | None:
    """How often the process's group was stopped for having used up its CPU time; None where nobody counts."""
    for folder in _folders("cpu"):
        found = re.search(r"^nr_throttled (\d+)", _read(folder / "cpu.stat") or "", re.MULTILINE)
        if found:
            return int(found[1])
    return None


def _memory() -> Iterator[tuple[int, int]]:
    """The limit of each group above the process that has one, and what the group uses."""
    for folder in _folders("memory"):
        for limit, used, files in _MEMORY:
            most = _read(folder / limit) or ""
            if not most.isdecimal():
                continue  # "max", or not of this version
            told = re.search(rf"^{files} (\d+)", _read(folder / "memory.stat") or "", re.MULTILINE)
            yield int(most), int(_read(folder / used) or 0) - (int(told[1]) if told else 0)


def _folders(controller: str) -> list[Path]:
    """The process's own group and all above it, for version 2 and for `controller` of version 1.

    In a container the path may be that of the host, which is not there; the container's own group is the root then.
    """
    found: list[Path] = []
    for line in (_read(_OWN) or "").splitlines():
        _, names, path = line.split(":", 2)
        roots = [_MOUNT, _MOUNT / "unified"] if not names else [_MOUNT / controller]
        if names and controller not in names.split(","):
            continue
        inner = Path(path.lstrip("/"))
        found += [root / each for root in roots for each in (inner, *inner.parents)]
    return list(dict.fromkeys(found))


def _read(path: Path) -> str | None:
    try:
        return path.read_text(encoding="ascii", errors="replace").strip()
    except OSError:
        return None
