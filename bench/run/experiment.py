"""One experiment: every arm prepared, proved right, and timed in interleaved rounds.

In each round every arm runs one batch, in an order drawn afresh, so that whatever drifts hits all
of them alike.  It ends when every arm's interval is narrow enough, or its time is up.
"""

from __future__ import annotations

import os
from collections.abc import Generator, Sequence
from dataclasses import dataclass

from bench.arm.workload import workload_of
from bench.machine.surroundings import HERE, Surroundings
from bench.messages import DeviceTime, Dispatch, Finish, Probe, Release
from bench.plan.experiments import Experiment
from bench.run.arm_state import ArmState
from bench.run.pool import Pool
from bench.run.prepare import ask, prepare
from bench.run.rounds import Limits, Rounds, calls_for

__all__ = ["Limits", "Measured", "in_rounds", "run"]

_SMALL_BYTES = 256 << 10
"""Bytes of an array of a small case: small enough to be moved, and warm again, at once."""
_SMALL_SHARE = 0.5
"""The length of a small case's batches, as a share of the profile's.  It gets more rounds instead, so that what
differs from round to round (where the arrays lie) averages out sooner."""
_FLOOR_SHARE = 0.25
"""An empty call's nanoseconds are known soon enough."""
_STRAY = 0.15
"""The share of one CPU that a process at rest may use up; above it, its pool is spinning or it works on."""
_STRAY_S = 0.1
"""CPU seconds that it may use up in any case: of a short time a few ticks are already a large share."""


@dataclass(frozen=True, slots=True)
class Measured:
    """What came of an experiment: one state for each of its arms, in their order; times in seconds."""

    states: Sequence[ArmState]
    rounds_s: float | None = None
    """What all rounds took; None where there were too few to tell."""
    guarded_s: float = 0.0
    """Of that, what the contention guard added, for waiting and measuring again."""
    renewed_s: float = 0.0
    """What compiling ahead and starting arms anew that had compiled took, beyond the experiment's time."""


def run(
    experiment: Experiment, pool: Pool, limits: Limits, seed: int, surroundings: Surroundings = HERE
) -> Measured:
    """Measure `experiment`.

    Whatever an arm does (raise, die, hang, be wrong) stands in its state and stops no other arm.
    """
    rounds = in_rounds(experiment, pool, limits, seed, surroundings)
    while True:
        try:
            next(rounds)
        except StopIteration as end:
            measured: Measured = end.value
            return measured


def in_rounds(
    experiment: Experiment, pool: Pool, limits: Limits, seed: int, surroundings: Surroundings = HERE
) -> Generator[Sequence[ArmState], None, Measured]:
    """As `run`, but yields the states after each round, for a caller that measures something in between."""
    states = [ArmState(arm) for arm in experiment.arms]
    case = experiment.case
    workload = workload_of(case)
    too_large = workload.why_too_large(len(states), limits.seconds)
    if too_large is not None:  # but for what the arms keep from the case before?
        pool.trim()
        too_large = workload.why_too_large(len(states), limits.seconds)
    if too_large is not None:
        for state in states:
            state.fail("skipped", too_large)
        return Measured(states)
    renewed_s, guarded_s, ends = prepare(experiment, pool, states), 0.0, list[float]()
    if any(state.alive and not state.arm.is_control for state in states):
        small = case.n * case.itemsize <= _SMALL_BYTES
        _calibrate(pool, states, limits.batch_s * (_SMALL_SHARE if small else 1.0), limits.warm_s)
        rounds = Rounds(
            pool, states, limits, seed, watch=surroundings.watch(case.device), surroundings=surroundings
        )
        for _ in rounds.run():
            ends.append(surroundings.monotonic())
            yield states
        guarded_s = rounds.guarded_s
        _finish(pool, states, on_card=case.device != "cpu")
    _release(pool, states)
    return Measured(states, _rounds_s(ends), guarded_s, renewed_s)


def _rounds_s(ends: Sequence[float]) -> float | None:
    """Seconds of all rounds that ended at those times; the first one is as long as the others."""
    return (ends[-1] - ends[0]) * len(ends) / (len(ends) - 1) if len(ends) > 1 else None


def _calibrate(pool: Pool, states: Sequence[ArmState], batch_s: float, warm_s: float) -> None:
    """How many calls make a batch, from the fastest of several probes; one arm at a time."""
    for state in states:
        state.batch_s = batch_s * (_FLOOR_SHARE if state.arm.role == "floor" else 1.0)
        for _, per_call in ask(pool, [state], Probe(state.batch_s / 8)):
            state.iterations = calls_for(per_call, state.batch_s, warm_s)


def _finish(pool: Pool, states: Sequence[ArmState], *, on_card: bool) -> None:
    """The last looks; the arms share a card one at a time."""
    timed = [state for state in states if state.batches]
    for state, finished in ask(pool, timed, Finish(), alone=on_card):
        state.finished = finished
        problem = finished.problem or (None if pool.pid(state.arm) == os.getpid() else _disturbance(state))
        if problem is not None:
            state.fail("mistrusted", problem)
    for state in states:  # one at a time: this is a measurement, too
        for _, dispatch_s in ask(pool, [state] if state.finished else [], Dispatch()):
            state.dispatch_s = dispatch_s
        for _, device_s in ask(pool, [state] if state.finished and on_card else [], DeviceTime()):
            state.device_s = device_s


def _disturbance(state: ArmState) -> str | None:
    """Whether the arm's process used a CPU while other arms were measured; a pool at rest does not."""
    if state.idle_cpu_s < max(_STRAY_S, _STRAY * state.idle_s):
        return None
    return (
        f"keeps a CPU busy while other arms are measured: {state.idle_cpu_s:.2f} s of it "
        f"in the {state.idle_s:.2f} s between its own batches"
    )


def _release(pool: Pool, states: Sequence[ArmState]) -> None:
    """Free the buffers of every arm that still has a process, those that only skipped included."""
    asked = [
        state for state in states if state.alive or (state.failure or ("",))[0] in ("incorrect", "mistrusted")
    ]
    pool.call_all([state.arm for state in asked], Release())
