"""The processor and who else uses it: frequency, load of others, stolen time, limits, affinity."""

from __future__ import annotations

import os
import re
import time
from pathlib import Path

import psutil

from bench.machine import cgroups
from bench.machine.environment import usable_cpus
from bench.machine.foreign_load import Clock
from scripts._doctor.finding import OK, WARNING, Finding, read

__all__ = [
    "affinity",
    "cgroup_limits",
    "frequency",
    "load",
    "stolen",
    "thread_variables",
    "virtual_machine",
]

_CPU = Path("/sys/devices/system/cpu")
_WATCHED_S = 1.0


def frequency() -> Finding:
    """The governor, and the frequency that the system reports while this thread is busy."""
    governors = {read(path) for path in _CPU.glob("cpu[0-9]*/cpufreq/scaling_governor")} - {None}
    end = time.perf_counter() + 0.1
    while time.perf_counter() < end:
        sum(range(1000))
    found = re.findall(r"^cpu MHz\s*:\s*([\d.]+)", read("/proc/cpuinfo") or "", re.MULTILINE)
    speeds = [float(each) for each in found]
    shown = f"{min(speeds):.0f} to {max(speeds):.0f} MHz under load" if speeds else "no frequency is shown"
    names = ", ".join(sorted(str(name) for name in governors)) or "not shown"
    figures = {"governors": sorted(str(name) for name in governors), "mhz": speeds}
    said = f"governor {names}; {shown}"
    if governors <= {"performance", "schedutil"}:
        return Finding("frequency", OK, said, figures=figures)
    effect = "the first rounds run slower than the later ones, and short batches most of all"
    return Finding("frequency", WARNING, said, effect, "sudo cpupower frequency-set -g performance", figures)


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


def virtual_machine() -> Finding:
    """The hypervisor flag of the processor."""
    if "hypervisor" not in (read("/proc/cpuinfo") or ""):
        return Finding("virtual machine", OK, "no hypervisor flag", figures={"hypervisor": False})
    effect = "neighbours share caches and memory, and speeds change for seconds for no reason seen from here"
    mend = "measure on bare metal, or trust interleaved ratios more than times and measure longer"
    said = "the processor says that a hypervisor runs it"
    return Finding("virtual machine", WARNING, said, effect, mend, {"hypervisor": True})


def affinity() -> Finding:
    """The CPUs that this process may use."""
    usable, online = usable_cpus(), os.cpu_count() or 1
    said = f"{usable} of {online} CPUs may be used"
    figures = {"usable_cpus": usable, "online_cpus": online}
    if usable > 1 and usable == online:
        return Finding("CPUs", OK, said, figures=figures)
    if usable > 1:
        effect = "frameworks that count all CPUs start too many threads"
        return Finding(
            "CPUs", WARNING, said, effect, "taskset -cp 0-N PID, or give the container more CPUs", figures
        )
    effect = (
        "parallel implementations have one thread, and everything else of the machine shares it with them"
    )
    return Finding("CPUs", WARNING, said, effect, "give the machine or the container more CPUs", figures)


def thread_variables() -> Finding:
    """Environment variables that set the number of threads."""
    found = {name: value for name, value in sorted(os.environ.items()) if name.endswith("_NUM_THREADS")}
    if not found:
        return Finding("thread settings", OK, "no variable sets a number of threads", figures=found)
    said = " ".join(f"{name}={value}" for name, value in found.items())
    effect = "what is measured as a framework's default is this setting"
    return Finding("thread settings", WARNING, said, effect, f"unset {' '.join(found)}", dict(found))


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
