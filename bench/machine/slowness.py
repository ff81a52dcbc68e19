"""How much longer than planned it takes here to start processes, and to compute beside others."""

from __future__ import annotations

from bench.machine.cgroups import cpu_limit
from bench.machine.clocks import cpu_clock
from bench.machine.environment import usable_cpus

__all__ = ["slowness"]

_TELLING_S = 0.1
"""CPU seconds from which on what this process has waited tells something."""
_MOST = 8.0
"""An hour that is worse than that is none to measure in."""


def slowness(planned_cpus: int) -> float:
    """How many times as long as on so many idle CPUs what this run does besides timing takes here; 1.0 at least.

    From the CPUs that it may use, and from how long this process has waited for one so far, where the system tells.
    """
    from bench.machine.own_usage import waited_s  # noqa: PLC0415  # needs what a run refuses to be without

    cpus = min(usable_cpus(), cpu_limit() or planned_cpus)
    used_s = cpu_clock()
    waits = 1.0 + waited_s() / used_s if used_s >= _TELLING_S else 1.0
    return min(max(waits * planned_cpus / cpus, 1.0), _MOST)
