"""The rounds of an experiment: in each, every arm runs one batch, in an order drawn afresh.

So a drift of the machine hits all arms alike.  The rounds end when every arm's interval is narrow enough, or the
time is up.  A batch during which others used the machine is measured again, a bounded number of times, and
counted.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from statistics import fmean, median

import numpy as np

from bench.machine.cpu_speed import SLOW
from bench.machine.foreign_load import ForeignUse
from bench.machine.guard import Guard
from bench.machine.nvidia import Watch
from bench.machine.surroundings import Surroundings
from bench.messages import Sample, TimeBatch
from bench.plan.profiles import Profile
from bench.run.arm_state import ArmState, Batch
from bench.run.pool import Pool
from bench.run.process import ArmError
from bench.run.starved import starved, waiting_share
from bench.stats import estimates

__all__ = ["Limits", "Rounds", "calls_for", "next_check"]

_REDOS = 2
"""How often a batch, or a round, is measured again at most: what still disturbs it then lasts."""
_SLOW_REDOS = 4
"""Passes over the batches that a slow CPU had, at most: mostly a CPU is slow for a short while."""
_WARM_S = 0.001
"""Longer than the caches and the branch predictor take to learn; one part of a batch, of which the median counts."""
_LONG_BATCH_S = 0.12
"""The length of a batch whose single call is longer than the warm-up.  The warm-up is then one whole call, too, so a
batch has at least 2, and as many as fit into this: most of the time goes into what is timed."""
_MOST_LONG = 12
"""Calls of such a batch, at most: beyond that the warm-up is a small part anyway."""
_MORE = 1.5
"""A batch is too short where its calls turn out to be so many times as fast as in the probes, all of which others
may have disturbed: what follows each look at the CPUs (an OpenMP thread has to wake up) would be most of its parts."""
_ALLOWANCE = 3.0
"""What the guard may add, as a multiple of the experiment's own time: enough beside a program that works for two
thirds of the time."""
_LEAST_ALLOWANCE_S = 1.0
"""Seconds that the guard may add at least, for an experiment that has next to no time itself."""


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

    @classmethod
    def of(cls, profile: Profile, seconds: float, target_ci: float = 0.02, *, guard: bool = True) -> Limits:
        """The profile's, for an experiment that gets so many seconds."""
        return cls(
            seconds, profile.batch_s, _WARM_S, target_ci, profile.min_rounds, profile.max_rounds, guard=guard
        )


def calls_for(per_call_s: float, batch_s: float, warm_s: float) -> int:
    """How many calls of that length make a batch."""
    least = min(max(math.ceil(_LONG_BATCH_S / per_call_s), 2), _MOST_LONG) if per_call_s > warm_s else 1
    return max(least, math.ceil(batch_s / max(per_call_s, 1e-9)))


def next_check(number: int) -> int:
    """The round after which precision is looked at again: each look is a chance to stop by luck."""
    return number + max(2, number // 5)


class Rounds:
    """The rounds of one experiment."""

    def __init__(
        self,
        pool: Pool,
        states: Sequence[ArmState],
        limits: Limits,
        seed: int,
        *,
        watch: Watch,
        surroundings: Surroundings,
    ) -> None:
        self._watch, self._surroundings = watch, surroundings
        self._pool, self._states, self._limits = pool, states, limits
        self._rng = np.random.default_rng(seed)
        self._witness = surroundings.witness({pool.pid(state.arm) for state in states if state.alive})
        allowance_s = max(_ALLOWANCE * limits.seconds, _LEAST_ALLOWANCE_S) if limits.guard else 0.0
        self._guard = Guard(self._witness, allowance_s, surroundings)
        self._foreign = ForeignUse(0.0, 0.0)
        self._latest: ArmState | None = None
        self._deadline = self._surroundings.monotonic() + limits.seconds

    def _time_is_up(self) -> bool:
        return self._surroundings.monotonic() >= self._deadline + self._guard.extra_s

    @property
    def guarded_s(self) -> float:
        """Seconds that the guard has added, by waiting and measuring again."""
        return self._guard.extra_s

    def run(self) -> Iterator[int]:
        """Measure until it is precise or time is up; the number of rounds so far, after each."""
        number, check = 0, self._limits.min_rounds
        while number < self._limits.max_rounds and any(state.alive for state in self._states):
            self._round(number)
            number += 1
            yield number
            if number >= self._limits.min_rounds and self._time_is_up():
                return
            if number >= check:
                if self._precise():
                    return
                check = next_check(number)

    def _round(self, number: int) -> None:
        """Every arm once; all of them again if others used the machine meanwhile."""
        guard = self._guard
        for attempt in range(_REDOS + 1):
            began, lost_s = self._surroundings.monotonic(), guard.lost_s
            self._foreign = ForeignUse(0.0, 0.0)
            self._witness.window()
            alive = [state for state in self._states if state.alive]
            for order, index in enumerate(self._rng.permutation(len(alive))):
                self._measure(alive[index], number, order)
            self._again_where_slow(alive, number)
            foreign, throttled = self._foreign.contended, self._watch.throttled()
            guard.after_round(foreign=foreign)
            if not (foreign or throttled):
                return
            for state in alive:
                self._mark_last(state)
            if attempt == _REDOS or not self._limits.guard or self._time_is_up():
                return
            if throttled:
                self._watch.cool()
            elif guard.patient:
                guard.spend(self._surroundings.monotonic() - began - (guard.lost_s - lost_s))
                guard.wait()
            else:
                return

    def _again_where_slow(self, states: Sequence[ArmState], number: int) -> None:
        """The batches of this round that a slow CPU had, once more: after the others, when it may be fast again."""
        guard = self._guard
        for _ in range(_SLOW_REDOS):
            slow = [state for state in states if state.alive and state.batches[-1].slow]
            for state in slow:
                if not guard.has_time or self._time_is_up():
                    return
                began, lost_s = self._surroundings.monotonic(), guard.lost_s
                self._measure(state, number, state.batches[-1].order)
                guard.spend(self._surroundings.monotonic() - began - (guard.lost_s - lost_s))

    def _measure(self, state: ArmState, number: int, order: int) -> None:
        """One batch; again if the arm waited for a CPU more than it is used to, or others ran beside it."""
        guard = self._guard
        for attempt in range(_REDOS + 1):
            if guard.alarmed:
                guard.wait()
                self._witness.window()  # what others did meanwhile is of no account
            began = self._surroundings.monotonic()
            sample = self._sample(state, number)
            if sample is None:
                return
            self._witness.spent(self._pool.pid(state.arm), sample.total_cpu_s)
            foreign = self._witness.window()
            contended = self._note(state, sample, foreign, number, order)
            if sample.problem is not None:
                state.fail("mistrusted", f"in round {number}: {sample.problem}")
                return
            if contended and attempt:  # once may be chance
                guard.alarm()
            if not contended or attempt == _REDOS or not guard.has_time or self._time_is_up():
                self._foreign += foreign
                return
            guard.spend(self._surroundings.monotonic() - began)

    def _sample(self, state: ArmState, number: int) -> Sample | None:
        """A batch that is long enough; None where the arm failed."""
        for _ in range(_REDOS + 1):
            sample = self._batch(state, number)
            if sample is None:
                return None
            calls = calls_for(min(sample.parts), state.batch_s, self._limits.warm_s)
            if calls <= _MORE * state.iterations:
                return sample
            state.iterations, self._latest = calls, state
        return sample

    def _batch(self, state: ArmState, number: int) -> Sample | None:
        request = TimeBatch(state.iterations, self._limits.warm_s)
        asked = self._surroundings.clock()
        try:
            sample = self._pool.call(state.arm, request)
        except ArmError as error:
            state.fail(error.status, error.reason)
            return None
        problem = _impossible(sample, asked, self._surroundings.clock())
        if problem is not None:
            state.fail("mistrusted", f"in round {number}: {problem}")
            return None
        return sample

    def _note(self, state: ArmState, sample: Sample, foreign: ForeignUse, number: int, order: int) -> bool:
        """Put the sample into the arm's books; whether others disturbed it."""
        if self._latest is not state:  # between two batches in a row nobody else is measured
            state.idle_s += sample.idle_s
            state.idle_cpu_s += sample.idle_cpu_s
        self._latest = state
        share = waiting_share(sample)
        contended = starved(share, state.waiting) or (
            self._guard.alarmed and foreign.seen and self._guard.others_run()
        )
        if not foreign.seen:  # what others cause is not what it is used to
            state.waiting.append(share)
        times = self._pool.usual.times(self._pool.pid(state.arm), sample.pace, len(sample.parts))
        slow = min(times) > SLOW
        fast = [part for part, longer in zip(sample.parts, times, strict=True) if slow or longer <= SLOW]
        state.batches.append(
            Batch(
                number,
                order,
                sample.iterations,
                median(fast),
                contended=contended or slow,
                mean_s=fmean(
                    part / max(longer, 1.0) for part, longer in zip(sample.parts, times, strict=True)
                ),
                waited_s=sample.usage.waited_s,
                slow=slow,
                timed_s=sample.seconds * sample.iterations,
            )
        )
        state.contended += contended or slow
        return contended

    def _mark_last(self, state: ArmState) -> None:
        if state.batches and not state.batches[-1].contended:
            last = state.batches[-1]
            state.batches[-1] = replace(last, contended=True)
            state.contended += 1

    def _precise(self) -> bool:
        """Whether every arm's interval is within the target; the floor's nanoseconds need not be."""
        judged = [state for state in self._states if state.alive and state.arm.role != "floor"]
        return all(
            estimates.estimate(state.samples()).half_width <= self._limits.target_ci for state in judged
        )


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
