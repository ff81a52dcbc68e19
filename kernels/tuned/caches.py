"""What this host says about its caches: bytes, read from the kernel, not guessed.  Only this module reads cache sizes.

Imports the standard library only.

Source: Linux, Documentation/ABI/stable/sysfs-devices-system-cpu (cache/index*); ``getconf -a``.
"""

from __future__ import annotations

import functools
import os
from dataclasses import dataclass
from pathlib import Path

__all__ = ["Caches", "cache_sizes", "caches", "read_caches"]

_SYSFS = Path("/sys/devices/system/cpu/cpu0/cache")
_UNITS = {"K": 1 << 10, "M": 1 << 20, "G": 1 << 30}
_SYSCONF = {1: "SC_LEVEL1_DCACHE_SIZE", 2: "SC_LEVEL2_CACHE_SIZE", 3: "SC_LEVEL3_CACHE_SIZE"}


@dataclass(frozen=True, slots=True)
class Caches:
    """Bytes of a core's first and second level, and of the last level that there is.

    The defaults are for hosts that say nothing.
    """

    first: int = 32 << 10
    """The smallest that a current server or desktop has."""
    second: int = 256 << 10
    """Likewise."""
    last: int = 32 << 20
    """Large, since too small a guess goes unnoticed: what is emptied as ``--cache-states cold`` would stay warm."""


@functools.cache
def caches() -> Caches:
    """This host's, read once."""
    return read_caches()


def read_caches(sysfs: Path = _SYSFS) -> Caches:
    """As `cache_sizes`, with the defaults for what is not known."""
    sizes = cache_sizes(sysfs)
    default = Caches()
    if not sizes:
        return default
    first, second = sizes.get(1, default.first), sizes.get(2, default.second)
    return Caches(first, second, sizes[max(sizes)] if max(sizes) > 2 else second)


def cache_sizes(sysfs: Path = _SYSFS) -> dict[int, int]:
    """Bytes of the data caches by level: those that `sysfs` describes, else those that sysconf knows, else none."""
    return _from_sysfs(sysfs) or _from_sysconf()


def _from_sysfs(sysfs: Path) -> dict[int, int]:
    sizes = {}
    for index in sorted(sysfs.glob("index*")):
        try:
            level, kind, size = ((index / name).read_text().strip() for name in ("level", "type", "size"))
            if kind != "Instruction":
                sizes[int(level)] = int(size[:-1]) * _UNITS[size[-1]] if size[-1] in _UNITS else int(size)
        except (OSError, ValueError, IndexError):  # not described, as in some containers
            continue
    return {level: size for level, size in sizes.items() if size > 0}


def _from_sysconf() -> dict[int, int]:
    sizes = {}
    for level, name in _SYSCONF.items():
        if name in os.sysconf_names:
            sizes[level] = os.sysconf(name)
    return {level: size for level, size in sizes.items() if size > 0}
