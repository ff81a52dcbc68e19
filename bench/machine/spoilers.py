"""What spoils timings and can be seen at once: the governor, few CPUs, thread settings, a hypervisor.

doctor.py says it when asked; every run notes it in its environment.json, so that whoever reads the run is told.
"""

from __future__ import annotations

import os
import re
import time
from pathlib import Path

from bench.machine.environment import usable_cpus
from bench.machine.finding import OK, WARNING, Finding, read

__all__ = ["affinity", "frequency", "thread_variables", "virtual_machine", "warnings"]

_CPU = Path("/sys/devices/system/cpu")


def warnings() -> list[str]:
    """A line for each thing that will make results worse: what was seen, and what that does."""
    found = (frequency(busy_s=0.0), affinity(), thread_variables(), virtual_machine())
    return [f"{each.name}: {each.measured}; {each.effect}" for each in found if each.status != OK]


def frequency(busy_s: float = 0.1) -> Finding:
    """The governor, and the frequency that the system reports after this thread was busy for so long."""
    governors = {read(path) for path in _CPU.glob("cpu[0-9]*/cpufreq/scaling_governor")} - {None}
    end = time.perf_counter() + busy_s
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
