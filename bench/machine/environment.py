"""What a run ran on: environment.json, and the name of the machine in every row."""

from __future__ import annotations

import os
import platform
import re
import subprocess
import sys
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import psutil

from bench.machine.address_layout import can_be_fixed
from bench.machine.variables import telling
from kernels.tuned.caches import cache_sizes, caches

__all__ = [
    "CARD_MODELS",
    "DIFFERS",
    "commit",
    "cpu_model",
    "describe",
    "last_level_cache",
    "machine_name",
    "name_of_machine",
    "usable_cpus",
    "utc_now",
]

_CPU = Path("/sys/devices/system/cpu")
"""Where Linux tells of the CPUs."""
DIFFERS = ("machine", "cpu", "cores", "caches", "kernel", "python", "packages", "transparent_hugepage")
"""The entries that make two runs incomparable where they differ."""
CARD_MODELS = "card_models"
"""The entry that does so besides in runs on cards: each one's name, driver and memory."""


def _read(path: Path) -> str | None:
    try:
        return path.read_text().strip()
    except OSError:
        return None  # not on this system, or not for us to read


def cpu_model() -> str:
    """The processor's name, or its architecture."""
    for line in (_read(Path("/proc/cpuinfo")) or "").splitlines():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()


def machine_name() -> str:
    """A short name made of the processor's and its usable cores, as in `amd-epyc-2c`."""
    return name_of_machine(cpu_model(), usable_cpus())


def name_of_machine(cpu: str, cores: int) -> str:
    """The name of a machine with that processor, of which so many CPUs may be used."""
    words = re.sub(r"\(.*?\)|\bCPU\b|\bProcessor\b|@.*", " ", cpu)
    slug = re.sub(r"[^a-z0-9]+", "-", words.lower()).strip("-")
    return f"{slug}-{cores}c"


def usable_cpus() -> int:
    """CPUs that this process may run on."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def last_level_cache() -> int:
    """Bytes of the last-level cache, or the guess of `kernels.tuned.caches`."""
    return caches().last


def utc_now() -> str:
    """Now, in UTC, to the second, as ISO 8601."""
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _packages() -> dict[str, str]:
    from importlib.metadata import PackageNotFoundError, version  # noqa: PLC0415  # slow to import

    found = {}
    for name in (
        "numpy",
        "numba",
        "llvmlite",
        "jax",
        "jaxlib",
        "torch",
        "triton",
        "numba-cuda",
        "nvidia-ml-py",
        "ml_dtypes",
        "pytest-benchmark",
    ):
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found


def commit() -> str:
    """The short name of the commit that this code is, with "+" if files differ from it; "" outside of a checkout."""
    here = Path(__file__).resolve()
    if _git(here.parent, "ls-files", "--error-unmatch", here.name) == "":
        return ""  # installed, perhaps within a checkout of something else
    return _git(here.parent, "describe", "--always", "--abbrev=7", "--exclude=*", "--dirty=+")


def _git(folder: Path, *arguments: str) -> str:
    """What git answers; "" where it refuses, or is not there."""
    command = ["git", "-C", str(folder), *arguments]
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False)
    except OSError:
        return ""
    return done.stdout.strip() if done.returncode == 0 else ""


def describe(options: Mapping[str, Any]) -> dict[str, Any]:
    """Everything about machine and software that may move a figure, as plain JSON data."""
    memory = psutil.virtual_memory()
    return {
        "commit": commit(),
        "machine": machine_name(),
        "cpu": cpu_model(),
        "cores": usable_cpus(),
        "caches": {f"L{level}": size for level, size in cache_sizes().items()},
        "memory_bytes": memory.total,
        "memory_available_bytes": memory.available,
        "kernel": platform.release(),
        "libc": " ".join(platform.libc_ver()),
        "virtual_machine": "hypervisor" in (_read(Path("/proc/cpuinfo")) or ""),
        "governor": _read(_CPU / "cpu0/cpufreq/scaling_governor"),
        "address_layout": "fixed" if can_be_fixed() else "random",
        "transparent_hugepage": _read(Path("/sys/kernel/mm/transparent_hugepage/enabled")),
        "load_average": list(os.getloadavg()) if hasattr(os, "getloadavg") else None,
        "python": platform.python_version(),
        "executable_bits": 64 if sys.maxsize > 2**32 else 32,
        "packages": _packages(),
        "environ": telling(),
        "options": dict(options),
        "started_utc": utc_now(),
    }
