"""Who else uses the processor: load of others, stolen time, limits.  What it is: `bench.machine.spoilers`."""

from __future__ import annotations

import os
import time

import psutil

from bench.machine import cgroups
from bench.machine.environment import usable_cpus
from bench.machine.finding import OK, WARNING, Finding
from bench.machine.foreign_load import Clock

__all__ = [
    "cgroup_limits",
    "load",
    "stolen",
]

_WATCHED_S = 1.0


def load() -> Finding:
    """CPU time that others used while this process slept for a second."""
    clock = Clock()
    time.sleep(_WATCHED_S)
    window = clock.window()
    share = window.cpu_s / window.wall_s
    said = f"others used {share:.2f} CPUs of {os.cpu_count()} over {window.wall_s:.1f} s"
    figures = {"cpus_used_by_others": share, "watched_s": window.wall_s}
    if share < 0.1:
        return Finding("other load", OK, said, figures=figures)
    names = ", ".join(_busiest()) or "not to be seen from here"
    effect = "rounds are disturbed and measured again, intervals stay wide, parallel kernels suffer most"
    return Finding("other load", WARNING, said, effect, f"end or wait for what runs: {names}", figures)


def _busiest() -> list[str]:
    """The names of the processes that used most of a CPU over a moment."""
    others = [process for process in psutil.process_iter() if process.pid != os.getpid()]

    def used(process: psutil.Process) -> float:
        try:
            times = process.cpu_times()
        except psutil.Error:
            return 0.0
        return float(times.user + times.system)

    before = {process.pid: used(process) for process in others}
    time.sleep(0.2)
    busy = sorted(
        ((used(process) - before[process.pid], process) for process in others), key=lambda pair: -pair[0]
    )
    found = []
    for share, process in busy[:3]:
        if share > 0.01:
            try:
                found.append(f"{process.name()} (pid {process.pid})")
            except psutil.Error:
                continue
    return found


def stolen(before_s: float, since: float) -> Finding:
    """CPU time that the hypervisor gave to others since `since`, when `before_s` had been stolen in all."""
    wall = time.perf_counter() - since
    now = getattr(psutil.cpu_times(), "steal", None)
    if now is None:
        return Finding("stolen time", OK, "this system does not count it")
    share = max(0.0, now - before_s) / wall
    said = f"the hypervisor took {share:.2%} of a CPU over {wall:.1f} s of this examination"
    figures = {"stolen_cpus": share, "watched_s": wall}
    if share < 0.01:
        return Finding("stolen time", OK, said, figures=figures)
    effect = "arms stand still without knowing; such rounds are measured again"
    mend = "measure at another hour, or on a machine whose CPUs are not shared"
    return Finding("stolen time", WARNING, said, effect, mend, figures)


def cgroup_limits(throttled_before: int | None) -> Finding:
    """The container's limits of CPU time and memory, and whether it was throttled since."""
    cpus, memory = cgroups.cpu_limit(), _memory_limit()
    now = cgroups.throttled()
    delta = None if now is None or throttled_before is None else now - throttled_before
    parts = [
        "no limit of CPU time" if cpus is None else f"{cpus:.2f} CPUs",
        "none of memory" if memory is None else f"{memory / 2**30:.1f} GiB of memory",
    ]
    if delta is not None:
        parts.append(f"throttled {delta} times meanwhile")
    figures = {"cpus": cpus, "memory_bytes": memory, "throttled": delta}
    tight = cpus is not None and cpus < usable_cpus()
    little = memory is not None and memory < 4 << 30
    if not (tight or little or delta):
        return Finding("container limits", OK, ", ".join(parts), figures=figures)
    effect = (
        "all threads stop together when the share is used up" if tight or delta else "large sizes are skipped"
    )
    mend = "docker run --cpus/--memory larger, or the pod's limits; or ask for fewer --threads and smaller --sizes"
    return Finding("container limits", WARNING, ", ".join(parts), effect, mend, figures)


def _memory_limit() -> int | None:
    """The least limit, if it is below what the machine has."""
    limit = cgroups.memory_limit()
    return limit if limit is not None and limit < int(psutil.virtual_memory().total) else None
