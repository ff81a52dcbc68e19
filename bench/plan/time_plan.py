"""How long a run may take, and in how many processes it measures each arm: both grow with what is asked.

The announced time is made of these; what it is spent on, `bench.run.budget` decides.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from bench.plan.cold_caches import NOTHING, Compiling
from bench.plan.experiments import Experiment, weight
from bench.plan.settings import Settings

__all__ = ["PLANNED_CPUS", "TimePlan", "time_plan"]

PLANNED_CPUS = 2
"""With so many, and nobody else on them, things take as long as is said here."""

_START_UP_S = 0.5
"""About what it takes to start an arm's process, while others are started: most of it are imports."""
_LEAST_S = 12.0
"""Seconds of measuring that a small question gets: enough to see a difference of a fifth."""
_PER_START = 1.5
"""Processes are started anew if measuring takes so many times as long as that, each time."""
_VISIT_S = 0.12
"""Seconds that an arm of a small case needs in each process, at least: preparing it, and some ten rounds."""
_BESIDE = 1.5
"""What an experiment takes if its rounds alone are limited, in rounds: preparing and last looks, too."""


@dataclass(frozen=True, slots=True)
class TimePlan:
    """What a run may take; times in seconds."""

    seconds: float
    """In all, start-up and compiling included."""
    start_up_s: float
    """About what starting every arm's process once takes, in this hour."""
    processes: int
    """In how many processes each arm is measured."""
    compiling: Compiling = NOTHING
    """About what compilers take whose caches are not known to hold the cases."""


def time_plan(
    settings: Settings,
    chosen: Sequence[Experiment],
    compiling: Compiling = NOTHING,
    slowness: float = 1.0,
) -> TimePlan:
    """For these experiments, under ``--minutes`` or ``--max-seconds``, else with the profile's seconds.

    What `compiling` takes is part of it, once.  In a bad hour, when everything takes `slowness` times as long, a run
    takes no longer than in a good one, unless that is too little to measure every experiment once.  The number of
    processes does not depend on it, since a run may go on in another hour.
    """
    start_up_s, again_s = (_start_up_s(settings, chosen, process) for process in (1, 2))
    measuring_s = _measuring_s(settings, chosen)
    if settings.minutes is not None:
        measuring_s = max(60 * settings.minutes - start_up_s - compiling.seconds, 0.0)
    processes = settings.processes
    if processes is None:
        processes = _processes(settings.profile.processes, measuring_s, again_s, sum(map(weight, chosen)))
    if settings.minutes is not None:
        return TimePlan(60 * settings.minutes, slowness * start_up_s, processes, compiling)
    seconds = measuring_s + start_up_s + (processes - 1) * again_s + compiling.seconds
    once_s = start_up_s + compiling.seconds + _VISIT_S * sum(map(weight, chosen))
    return TimePlan(max(seconds, slowness * once_s), slowness * start_up_s, processes, compiling)


def _start_up_s(settings: Settings, chosen: Sequence[Experiment], process: int) -> float:
    """About what starting the processes of that number takes."""
    arms = {arm for each in chosen for arm in each.arms_in(process)}
    return 0.0 if settings.inline else _START_UP_S * len(arms)


def _processes(most: int, measuring_s: float, start_up_s: float, weights: float) -> int:
    """As many as there is time to start, and to measure every arm in."""
    if not start_up_s or not weights:
        return 1
    startable = 1 + int(measuring_s / (_PER_START * start_up_s))
    return max(min(most, startable, int(measuring_s / (_VISIT_S * weights))), 1)


def _measuring_s(settings: Settings, chosen: Sequence[Experiment]) -> float:
    if settings.max_seconds is not None:
        return _BESIDE * settings.max_seconds * len(chosen)
    return max(settings.profile.arm_s * sum(map(weight, chosen)), _LEAST_S if chosen else 0.0)
