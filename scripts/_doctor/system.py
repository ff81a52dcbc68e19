"""What the harness asks of the system where it can, what is missing here, and what that costs.

docs/method.md has the systems that this was thought through for.
"""

from __future__ import annotations

import os
import platform
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from bench.machine import address_layout, own_usage
from bench.machine.finding import OK, WARNING, Finding
from kernels.tuned.caches import cache_sizes

__all__ = ["ASKED", "Capability", "findings"]


@dataclass(frozen=True, slots=True)
class Capability:
    """Something that has a plain path where it is missing: whether it is there, and what that path costs."""

    name: str
    there: Callable[[], bool]
    cost: str
    mend: str = ""


def _x86() -> bool:
    return platform.machine().lower() in ("x86_64", "amd64")


ASKED = (
    Capability(
        "one address layout",
        address_layout.can_be_fixed,
        "processes of the same code differ more, so intervals are wider",
        "in a container, allow the system call personality: docker run --security-opt seccomp=unconfined",
    ),
    Capability(
        "CPU affinity",
        lambda: hasattr(os, "sched_setaffinity"),
        "a serial arm stays where the system puts it, also on a CPU that others use",
    ),
    Capability(
        "accounts of waiting for a CPU",
        own_usage.waits_are_told,
        "rounds in which a thread waited are not seen (waited_s is 0)",
    ),
    Capability(
        "memory files",
        lambda: hasattr(os, "memfd_create"),
        "each arm has inputs of its own, so large cases need more memory",
    ),
    Capability(
        "sizes of the caches",
        lambda: bool(cache_sizes()),
        "kernels are chosen, and caches emptied, by the sizes of usual processors",
    ),
    Capability(
        "streaming stores that we can ask for",
        _x86,
        "copy_streaming is skipped, and copy_plain alone shows the machine's limit",
    ),
)
"""All but what a check of its own tells of: huge pages, stolen time, limits of containers."""


def findings() -> Iterator[Finding]:
    """One for each that is missing, or one that says that none is."""
    host = f"{platform.system()} on {platform.machine()}"
    missing = [each for each in ASKED if not each.there()]
    figures = {"system": platform.system(), "machine": platform.machine()}
    if not missing:
        yield Finding("system", OK, f"{host} has {', '.join(each.name for each in ASKED)}", figures=figures)
    for each in missing:
        lacking = {**figures, "missing": each.name}
        yield Finding("system", WARNING, f"{host} has no {each.name}", each.cost, each.mend, lacking)
