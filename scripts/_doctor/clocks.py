"""The clock that times every batch, how often the scheduler takes the CPU away, and whether it keeps its speed."""

from __future__ import annotations

import time

from bench.machine.cpu_speed import arithmetic_s
from bench.machine.finding import OK, WARNING, Finding, read

_SLOW = 1.3
"""A CPU is slow where the arithmetic takes so many times as long as usual; less is within its own noise."""
__all__ = ["jitter", "neighbours", "steadiness", "timer"]

_CALLS = 100_000
_GAP_NS = 10_000
"""Far longer than reading the clock takes: so long a gap between two readings in a row is somebody else's."""
_SPIN_S = 0.5
_LOAD_S = 1.0
_MUCH = 0.03
"""The share of the time on a slow CPU from which it is a warning."""


def timer() -> Finding:
    """What a reading of the clock costs, and the smallest step that it was seen to take."""
    clock = time.perf_counter_ns
    begin = clock()
    for _ in range(_CALLS):
        clock()
    cost_ns = (clock() - begin) / _CALLS
    steps = []
    for _ in range(_CALLS):
        before = clock()
        if step := clock() - before:
            steps.append(step)
    step_ns = min(steps, default=0)
    source = read("/sys/devices/system/clocksource/clocksource0/current_clocksource")
    said = f"a reading costs {cost_ns:.0f} ns, smallest step seen {step_ns} ns, clock source {source or 'not shown'}"
    figures = {"cost_ns": cost_ns, "step_ns": step_ns, "clocksource": source}
    if cost_ns < 500 and step_ns < 1000:
        return Finding("timer", OK, said, figures=figures)
    effect = "small tensors are timed in longer batches, and what is left of the clock's cost is in them"
    mend = "boot with clocksource=tsc if the processor keeps it steady (dmesg | grep -i tsc)"
    return Finding("timer", WARNING, said, effect, mend, figures)


def jitter() -> Finding:
    """The share of a busy loop's time in which it did not run."""
    clock = time.perf_counter_ns
    begin = before = clock()
    lost, longest, gaps = 0, 0, 0
    while before - begin < _SPIN_S * 1e9:
        now = clock()
        if now - before > _GAP_NS:
            lost += now - before
            longest = max(longest, now - before)
            gaps += 1
        before = now
    share = lost / (before - begin)
    said = f"a busy loop lost {share:.2%} of {_SPIN_S:g} s in {gaps} gaps over 10 us, at most {longest / 1e6:.2f} ms"
    figures = {"lost_share": share, "longest_gap_s": longest / 1e9, "gaps": gaps}
    if share < 0.01:
        return Finding("scheduler", OK, said, figures=figures)
    effect = (
        "batches are disturbed and measured again, and parallel kernels wait for the thread that lost its CPU"
    )
    mend = "end other programs, or measure longer (--profile standard)"
    return Finding("scheduler", WARNING, said, effect, mend, figures)


def steadiness() -> Finding:
    """Whether the same work takes longer at the end of a second of full load than at its beginning."""
    times: list[float] = []
    end = time.perf_counter() + _LOAD_S
    while time.perf_counter() < end:
        begin = time.perf_counter()
        sum(range(20_000))
        times.append(time.perf_counter() - begin)
    quarter = max(1, len(times) // 4)
    early, late = min(times[:quarter]), min(times[-quarter:])
    slower = late / early - 1
    said = f"after {_LOAD_S:g} s of load the same work took {100 * slower:+.1f} % (best of {quarter} each)"
    figures = {"slower_share": slower, "early_s": early, "late_s": late}
    if abs(slower) < 0.05:
        return Finding("throttling", OK, said, figures=figures)
    effect = (
        "the clock frequency moves under load (boost, heat or power limits), so early and late rounds differ"
    )
    mend = "fix the frequency (cpupower frequency-set -g performance; boost off), cool the machine, or measure longer"
    return Finding("throttling", WARNING, said, effect, mend, figures)


def neighbours() -> Finding:
    """The share of a second in which the CPU is far slower than usual: its clock, or another's thread on the core."""
    readings: list[float] = []
    end = time.perf_counter() + _LOAD_S
    while time.perf_counter() < end:
        readings.append(arithmetic_s())
    usual = sorted(readings)[len(readings) // 10]
    share, longest = sum(each > _SLOW * usual for each in readings) / len(readings), max(readings) / usual
    said = (
        f"for {share:.1%} of {_LOAD_S:g} s the CPU took over {_SLOW:g} times as long as usual, "
        f"at most {longest:.2f} times"
    )
    figures = {"slow_share": share, "usual_s": usual, "longest": longest}
    if share < _MUCH:
        return Finding("CPU speed", OK, said, figures=figures)
    effect = "batches on a slow CPU are measured again, which takes time; how fast the memory is, is not seen"
    mend = "measure at a quieter hour or on a host of your own, and longer (--profile standard)"
    return Finding("CPU speed", WARNING, said, effect, mend, figures)
