"""What an arm's process may use up between its batches, and how many threads in them.

Pure arithmetic on what the kernel counts for the process (`bench.messages.Sample`), summed over an arm's batches.
"""

from __future__ import annotations

__all__ = ["idle_problem", "threads_problem"]

_STRAY = 0.15
"""The share of one CPU that a process at rest may use up; above it, its pool is spinning or it works on."""
_SPIN_S = 0.03
"""CPU seconds that it may use up in each pause, unless that is half of it: threads that have worked spin for a while
before they sleep, and pauses are short."""
_STRAY_S = 0.1
"""CPU seconds that it may use up in any case: of a short time a few ticks are already a large share."""
_FAULTS = 2.0
"""Pages that a process at rest may be given between two batches, on average: honest ones need next to none, and a
huge page, of which a few hold a large result, counts as one."""
_FAULTS_AT_LEAST = 32
"""Pages that it may be given in all: a thread's stack, a buffer of the interpreter's."""
_MORE_THREADS = 0.2
"""CPUs that an arm may use beyond the threads that it was asked for: what the harness's own threads use."""
_MORE_THREADS_S = 0.05
"""CPU seconds beyond them in any case: the kernel counts another thread's in ticks."""


def idle_problem(idle_s: float, idle_cpu_s: float, page_faults: int, batches: int) -> str | None:
    """Whether a process worked while other arms were measured: that slows them, or pays for its own calls.

    The arguments are sums over the pauses before `batches` batches.  No share of the batches' own CPU time is asked
    for: a pool of OpenMP threads may spin for several times that.
    """
    spinning_s = min(_SPIN_S * batches, idle_s / 2)
    if idle_cpu_s >= max(_STRAY_S, _STRAY * idle_s, spinning_s):
        return (
            f"keeps a CPU busy while other arms are measured: {idle_cpu_s:.2f} s of it "
            f"in the {idle_s:.2f} s between its own batches"
        )
    if page_faults > _FAULTS_AT_LEAST + _FAULTS * batches:
        return (
            f"gets memory while it is not timed: {page_faults} page faults between its {batches} batches, "
            "which its calls are then spared"
        )
    return None


def threads_problem(asked: int, effective: int, cpu_s: float, wall_s: float) -> str | None:
    """Whether an arm that was asked for a number of threads (0: not asked) used more CPUs than that in its batches.

    `effective` is the count that it says is in effect; `cpu_s` and `wall_s` are sums over its batches.
    """
    if not asked:
        return None
    allowed = max(1, min(asked, effective))
    if effective > asked:
        return f"takes {effective} threads where --threads {asked} was asked for"
    if cpu_s <= (allowed + _MORE_THREADS) * wall_s + _MORE_THREADS_S:
        return None
    return (
        f"uses more threads than it says: {cpu_s:.2f} CPU seconds in {wall_s:.2f} s of batches, "
        f"with {allowed} of {asked} threads in effect"
    )
