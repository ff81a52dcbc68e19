"""One experiment in one process of each arm: every arm prepared, proved right, and timed in interleaved rounds.

An experiment is visited once for each process that its arms are to be measured in (see `bench.run.visits`).
"""

from __future__ import annotations

import math
import os
from collections.abc import Generator, Sequence
from dataclasses import dataclass

from bench.arm.workload import workload_of
from bench.judging.claims import idle_problem, threads_problem
from bench.machine.surroundings import HERE, Surroundings
from bench.messages import DeviceTime, Dispatch, Finish, Probe, Release
from bench.plan.experiments import Experiment
from bench.run.arm_state import ArmState
from bench.run.batch_calls import agree, calls_for
from bench.run.copies import way_to_go
from bench.run.evidence import Evidence, learn_slopes
from bench.run.pool import Pool
from bench.run.prepare import ask, prepare
from bench.run.progress import SILENT, Observer
from bench.run.race import Race
from bench.run.rounds import Limits, Rounds
from bench.stats.verdicts import time_of

__all__ = ["Limits", "Measured", "Visit", "in_rounds", "prove", "run"]

_PROBES = 4
"""Probes that tell how long a call is: the fastest counts, so one undisturbed probe is enough."""
_SHORT_S = 1e-3
"""The last look at a short call makes hundreds of them.  One in several threads takes milliseconds, not microseconds,
beside another arm's work: such arms have their last look one after the other."""
_FLOOR_SHARE = 0.25
"""An empty call's nanoseconds are known soon enough."""


@dataclass(frozen=True, slots=True)
class Measured:
    """What came of it: one state for each of the experiment's arms, in their order; times in seconds."""

    states: Sequence[ArmState]
    rounds_s: float = 0.0
    """What the rounds took, from the first batch to the last."""
    renewed_s: float = 0.0
    """What compiling took, and starting arms anew that had."""
    limited: bool = False
    """Whether the rounds ended because their time was up."""


@dataclass(frozen=True, slots=True)
class Visit:
    """Which process of its arms an experiment is measured in, and what is known from those before."""

    evidence: Evidence
    states: Sequence[ArmState]
    process: int = 1
    observer: Observer = SILENT

    @classmethod
    def alone(cls, experiment: Experiment) -> Visit:
        """The one visit of an experiment by itself."""
        states = [ArmState(arm) for arm in experiment.arms]
        return cls(Evidence(experiment.case.bytes_moved), states)


def run(
    experiment: Experiment,
    pool: Pool,
    limits: Limits,
    seed: int,
    surroundings: Surroundings = HERE,
    *,
    visit: Visit | None = None,
) -> Measured:
    """Measure `experiment` in the processes of that pool.

    Whatever an arm does (raise, die, hang, be wrong) stands in its state and stops no other arm.
    """
    rounds = in_rounds(experiment, pool, limits, seed, surroundings, visit=visit)
    while True:
        try:
            next(rounds)
        except StopIteration as end:
            measured: Measured = end.value
            return measured


def in_rounds(
    experiment: Experiment,
    pool: Pool,
    limits: Limits,
    seed: int,
    surroundings: Surroundings = HERE,
    *,
    visit: Visit | None = None,
) -> Generator[Sequence[ArmState], None, Measured]:
    """As `run`, but yields the states after each round, for a caller that measures something in between."""
    visit = visit or Visit.alone(experiment)
    case, states = experiment.case, _taking_part(experiment, visit)
    in_turn = _room_for(experiment, pool, states, limits.seconds)
    if in_turn is None:
        return Measured(visit.states)
    if visit.process > 1:
        for state in states:
            state.way = way_to_go(state, states, visit.evidence)
            state.renew(visit.process)
    renewed_s = prepare(experiment, pool, states, in_turn=in_turn, now=surroundings.monotonic)
    rounds_s, limited = 0.0, False
    if any(state.alive and not state.arm.is_control for state in states):
        _calibrate(pool, states, limits.batch_s)
        race = Race(states, visit.evidence, seed)
        watch = surroundings.watch(case.device)
        rounds = Rounds(pool, states, limits, race, watch=watch, surroundings=surroundings)
        began = surroundings.monotonic()
        for number in rounds.run():
            visit.observer.round(number, states)
            yield states
        rounds_s, limited = surroundings.monotonic() - began, rounds.limited
        _finish(pool, states, case.threads, on_card=case.device != "cpu", in_turn=in_turn)
    learn_slopes(visit.evidence, states)
    _release(pool, states)
    _excuse_controls(states)
    return Measured(visit.states, rounds_s, renewed_s, limited)


def _taking_part(experiment: Experiment, visit: Visit) -> Sequence[ArmState]:
    """The arms that are measured in this process of theirs: of the copies the one that was fastest so far."""
    copies = [state for state in visit.states if state.arm.role == "ceiling" and state.timed]
    fastest = min(copies, key=lambda state: time_of(visit.evidence.rounds(state)), default=None)
    arms = experiment.arms_in(visit.process, None if fastest is None else fastest.arm)
    return [state for state in visit.states if state.arm in arms]


def prove(experiment: Experiment, pool: Pool) -> Sequence[ArmState]:
    """Bring every arm of `experiment` to where it could be timed, which ends with the gate, and time nothing."""
    states = [ArmState(arm) for arm in experiment.arms]
    in_turn = _room_for(experiment, pool, states, math.inf)
    if in_turn is not None:
        prepare(experiment, pool, states, in_turn=in_turn)
        _release(pool, states)
    return states


def _room_for(experiment: Experiment, pool: Pool, states: Sequence[ArmState], seconds: float) -> bool | None:
    """Whether the arms have to have their memory in turn; None, and all are skipped, where not even that will do."""
    workload, arms = workload_of(experiment.case), len(states)
    if workload.why_too_large(arms, seconds) is None:
        return False
    pool.trim()  # what they keep from the case before may be in the way
    if workload.why_too_large(arms, seconds) is None:
        return False
    too_large = workload.why_too_large(arms, seconds, in_turn=True)
    if too_large is None:
        return True
    for state in states:
        state.fail("skipped", too_large)
    return None


def _calibrate(pool: Pool, states: Sequence[ArmState], batch_s: float) -> None:
    """How many calls make a batch, from the fastest of several probes; one arm at a time.

    An arm that was measured before knows it from its batches; one probe shows in which threads this process works.
    """
    for state in states:
        state.batch_s = batch_s * (_FLOOR_SHARE if state.arm.role == "floor" else 1.0)
        for _, per_call in ask(pool, [state], Probe(state.batch_s / 8, 1 if state.batches else _PROBES)):
            if not state.batches:
                state.probed_s, state.iterations = per_call, calls_for(per_call, state.batch_s)
    agree(states)


def _finish(pool: Pool, states: Sequence[ArmState], threads: int, *, on_card: bool, in_turn: bool) -> None:
    """The last looks; the arms share a card, or scarce memory, one at a time."""
    timed = [state for state in states if state.batches]
    together, alone = (
        [state for state in timed if _needs_all_cpus(state) is needs] for needs in (False, True)
    )
    looked = ask(pool, together, Finish(), alone=on_card or in_turn) + ask(pool, alone, Finish(), alone=True)
    for state, finished in looked:
        state.finished = finished
        own = pool.pid(state.arm) != os.getpid()  # in a process with others, what they do is its own
        problem = finished.problem or (_uses_too_much(state, threads) if own else None)
        if problem is not None:
            state.fail("mistrusted", problem)
    for state in states:  # one at a time: this is a measurement, too
        wanted = [state] if state.finished and state.dispatch_s is None else []
        for _, dispatch_s in ask(pool, wanted, Dispatch()):
            state.dispatch_s = dispatch_s
        for _, times in ask(pool, wanted if on_card else [], DeviceTime()):
            state.device_s, state.queued_s = times.device_s, times.queued_s


def _needs_all_cpus(state: ArmState) -> bool:
    """Whether another arm's work beside it would make many short calls of it wait for a CPU."""
    return state.is_parallel and state.batches[-1].seconds < _SHORT_S


def _excuse_controls(states: Sequence[ArmState]) -> None:
    """Controls that wait in vain have not failed: there is nothing to show a limit for."""
    if any(state.alive and not state.arm.is_control for state in states):
        return
    for state in states:
        if state.alive and not state.batches:
            state.fail(
                "skipped", "no implementation was left to be timed, so there is nothing to show a limit for"
            )


def _uses_too_much(state: ArmState, threads: int) -> str | None:
    """Whether its process works while others are measured, or in more threads than it was asked to."""
    mine = [batch for batch in state.batches if batch.process == state.process]
    effective = state.prepared.threads_effective if state.prepared is not None else None
    return idle_problem(state.idle_s, state.idle_cpu_s, state.idle_faults, state.pauses) or threads_problem(
        threads,
        effective if effective is not None else threads,
        sum(batch.cpu_s for batch in mine),
        sum(batch.wall_s for batch in mine),
    )


def _release(pool: Pool, states: Sequence[ArmState]) -> None:
    """Free the buffers of every arm that still has a process, those that only skipped included."""
    asked = [
        state for state in states if state.alive or (state.failure or ("",))[0] in ("incorrect", "mistrusted")
    ]
    pool.call_all([state.arm for state in asked], Release())
