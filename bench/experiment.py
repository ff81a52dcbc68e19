"""One experiment: every arm prepared, proved right, and timed in interleaved rounds.

In each round every arm runs one batch, in an order drawn afresh, so that whatever drifts hits all
of them alike.  It ends when every arm's interval is narrow enough, or its time is up.
"""

from __future__ import annotations

import math
import os
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from statistics import median
from typing import Any

import numpy as np

from bench import stats
from bench.answers import Sample
from bench.armstate import ArmState, Batch
from bench.cards import Watch, watch_of
from bench.clocks import clock
from bench.contention import Clock, ForeignUse, starved, waiting_share
from bench.plan import Experiment
from bench.pool import Pool, Request
from bench.process import ArmError
from bench.workload import workload_of

__all__ = ["Limits", "next_check", "run"]

_REDOS = 2
_LONG_BATCH_S = 0.06
"""Where one call is longer than the warm-up, which is then one whole call, too, a batch has some more:
2 to 5, as fit into this, so that most of the time is spent in what is timed."""
_SMALL_BYTES, _SMALL_SHARE = 256 << 10, 0.5
"""Small arrays are moved and warm at once, so that more rounds of half the length cost little: what differs
from round to round (where the arrays lie) averages out sooner."""
_FLOOR_SHARE = 0.25
"""An empty call's nanoseconds are known soon enough."""
_QUIET_S = 0.05
_STRAY, _STRAY_S = 0.15, 0.1
"""What a process at rest may use up: this share of the time, and so many seconds."""


@dataclass(frozen=True, slots=True)
class Limits:
    """How long and how precisely an experiment is measured.  Times in seconds."""

    seconds: float
    batch_s: float
    warm_s: float
    target_ci: float
    min_rounds: int
    max_rounds: int
    guard: bool = True


def run(
    experiment: Experiment,
    pool: Pool,
    limits: Limits,
    seed: int,
    on_round: Callable[[int, Sequence[ArmState]], None] = lambda _round, _states: None,
) -> list[ArmState]:
    """Measure `experiment`; one state for each of its arms, in their order.

    Whatever an arm does (raise, die, hang, be wrong) stands in its state and stops no other arm.
    """
    states = [ArmState(arm) for arm in experiment.arms]
    case = experiment.case
    too_large = workload_of(case).why_too_large(case, len(states), limits.seconds)
    if too_large is not None:
        for state in states:
            state.fail("skipped", too_large)
        return states
    _prepare(experiment, pool, states)
    if any(state.alive and not state.arm.is_control for state in states):
        small = case.n * case.itemsize <= _SMALL_BYTES
        _calibrate(pool, states, limits.batch_s * (_SMALL_SHARE if small else 1.0), limits.warm_s)
        _Rounds(pool, states, limits, seed, watch_of(case.device)).run(on_round)
        _finish(pool, states, on_card=case.device != "cpu")
    _release(pool, states)
    return states


def _ask(
    pool: Pool, states: Sequence[ArmState], method: str, *arguments: Any, alone: bool = False
) -> list[tuple[ArmState, Any]]:
    """Ask all arms that are alive, `alone` one after the other; the answers of those that gave one."""
    alive = [state for state in states if state.alive]
    requests = [Request(state.arm, method, arguments) for state in alive]
    batches = [[request] for request in requests] if alone else [requests]
    outcomes = [outcome for batch in batches for outcome in pool.call_all(batch)]
    answered = []
    for state, outcome in zip(alive, outcomes, strict=True):
        if isinstance(outcome, ArmError):
            state.fail(outcome.status, outcome.reason)
        else:
            answered.append((state, outcome))
    return answered


def _prepare(experiment: Experiment, pool: Pool, states: Sequence[ArmState]) -> None:
    opened = pool.open([state.arm for state in states], experiment.case.threads)
    for state in states:
        loaded = opened[state.arm]
        if isinstance(loaded, ArmError):
            state.fail(loaded.status, loaded.reason)
        else:
            state.loaded = loaded
    copies = [state for state in states if state.arm.role == "ceiling"]
    ablations = [state for state in states if state.arm.role == "ablation"]
    others = [state for state in states if state.arm.role not in ("ceiling", "ablation")]
    answers = []
    for together in (others, ablations, *([copy] for copy in copies)):
        # a copy alone, as it chooses the fastest way by timing several
        if together:
            case = experiment.case_for(together[0].arm)
            answers += _ask(pool, together, "prepare", case, alone=case.device != "cpu")
    for state, prepared in answers:
        state.prepared = prepared
        if prepared.skip is not None:
            state.fail("skipped", prepared.skip)
        elif prepared.gate.problem is not None:
            state.fail("incorrect", prepared.gate.problem)


def _calibrate(pool: Pool, states: Sequence[ArmState], batch_s: float, warm_s: float) -> None:
    """How many calls make a batch, from the fastest of several probes; one arm at a time."""
    for state in states:
        wanted_s = batch_s * (_FLOOR_SHARE if state.arm.role == "floor" else 1.0)
        for _, per_call in _ask(pool, [state], "probe", wanted_s / 8):
            least = min(max(math.ceil(_LONG_BATCH_S / per_call), 2), 5) if per_call > warm_s else 1
            state.iterations = max(least, math.ceil(wanted_s / max(per_call, 1e-9)))


def _finish(pool: Pool, states: Sequence[ArmState], *, on_card: bool) -> None:
    """The last looks; the arms share a card one at a time."""
    timed = [state for state in states if state.batches]
    for state, finished in _ask(pool, timed, "finish", alone=on_card):
        state.finished = finished
        problem = finished.problem or (None if pool.pid(state.arm) == os.getpid() else _disturbance(state))
        if problem is not None:
            state.fail("mistrusted", problem)
    for state in states:  # one at a time: this is a measurement, too
        for _, dispatch_s in _ask(pool, [state] if state.finished else [], "dispatch"):
            state.dispatch_s = dispatch_s
        for _, device_s in _ask(pool, [state] if state.finished and on_card else [], "device_time"):
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
    pool.call_all([Request(state.arm, "release") for state in asked])


def next_check(number: int) -> int:
    """The round after which precision is looked at again: each look is a chance to stop by luck."""
    return number + max(2, number // 5)


def _impossible(sample: Sample, asked: float, answered: float) -> str | None:
    """Why the coordinator's own clock, the same for all processes, contradicts the sample."""
    timed = sample.seconds * sample.iterations
    inside = asked <= sample.began <= sample.ended <= answered
    if inside and min(sample.parts) > 0 and 0 < timed <= (sample.ended - sample.began) * 1.001:
        return None
    return (
        f"reports {timed:.3g} s of calls between {sample.began:.6f} and {sample.ended:.6f}, "
        f"when it was asked at {asked:.6f} and answered at {answered:.6f}: its clock is not the machine's"
    )


class _Rounds:
    """The rounds of one experiment."""

    def __init__(
        self, pool: Pool, states: Sequence[ArmState], limits: Limits, seed: int, watch: Watch
    ) -> None:
        self._watch = watch
        self._pool, self._states, self._limits = pool, states, limits
        self._rng = np.random.default_rng(seed)
        self._clock = Clock({pool.pid(state.arm) for state in states if state.alive})
        self._deadline = time.monotonic() + limits.seconds

    def _time_is_up(self) -> bool:
        return time.monotonic() >= self._deadline

    def run(self, on_round: Callable[[int, Sequence[ArmState]], None]) -> None:
        number, check = 0, self._limits.min_rounds
        while number < self._limits.max_rounds and any(state.alive for state in self._states):
            self._round(number)
            number += 1
            on_round(number, self._states)
            if number >= self._limits.min_rounds and self._time_is_up():
                return
            if number >= check:
                if self._precise():
                    return
                check = next_check(number)

    def _round(self, number: int) -> None:
        """Every arm once; all of them again if others used the machine meanwhile."""
        for attempt in range(_REDOS + 1):
            self._clock.window()
            alive = [state for state in self._states if state.alive]
            for order, index in enumerate(self._rng.permutation(len(alive))):
                self._measure(alive[index], number, order)
            foreign = self._clock.window()
            throttled = self._watch.throttled()
            if not (self._limits.guard and (foreign.contended or throttled)):
                return
            for state in alive:
                self._mark_last(state)
            if attempt == _REDOS or self._time_is_up():
                return
            if throttled:
                self._watch.cool()
            self._wait_for_quiet(foreign)

    def _measure(self, state: ArmState, number: int, order: int) -> None:
        """One batch; again if the arm waited for a CPU more than it is used to."""
        for _ in range(_REDOS + 1):
            request = Request(state.arm, "batch", (state.iterations, self._limits.warm_s))
            asked = clock()
            try:
                sample: Sample = self._pool.call(request)
            except ArmError as error:
                state.fail(error.status, error.reason)
                return
            problem = _impossible(sample, asked, clock())
            if problem is not None:
                state.fail("mistrusted", f"in round {number}: {problem}")
                return
            state.idle_s += sample.idle_s
            state.idle_cpu_s += sample.idle_cpu_s
            self._clock.spent(self._pool.pid(state.arm), sample.total_cpu_s)
            share = waiting_share(sample)
            contended = starved(share, state.waiting)
            state.waiting.append(share)
            waited_s = sample.usage.waited_s
            typical = median(sample.parts)
            state.batches.append(
                Batch(number, order, sample.iterations, typical, contended, sample.seconds, waited_s)
            )
            state.contended += contended
            if sample.problem is not None:
                state.fail("mistrusted", f"in round {number}: {sample.problem}")
                return
            if not (contended and self._limits.guard) or self._time_is_up():
                return

    def _mark_last(self, state: ArmState) -> None:
        if state.batches and not state.batches[-1].contended:
            last = state.batches[-1]
            state.batches[-1] = replace(last, contended=True)
            state.contended += 1

    def _wait_for_quiet(self, foreign: ForeignUse) -> None:
        """Give whoever used the machine a moment to end, a few times at most."""
        for _ in range(4):
            if not foreign.contended:
                return
            time.sleep(_QUIET_S)
            foreign = self._clock.window()

    def _precise(self) -> bool:
        """Whether every arm's interval is within the target; the floor's nanoseconds need not be."""
        judged = [state for state in self._states if state.alive and state.arm.role != "floor"]
        return all(stats.estimate(state.samples()).half_width <= self._limits.target_ci for state in judged)
