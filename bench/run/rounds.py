"""The rounds of an experiment in one process of each arm.

In each round every arm that is due runs one batch, in an order drawn afresh, so that a drift of the machine hits all of
them alike.  What is due, `bench.run.race` decides.  The rounds end when nothing is, or the time is up.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from statistics import fmean, median, quantiles

from bench.machine.cpu_speed import Readings
from bench.machine.nvidia import Watch
from bench.machine.surroundings import Surroundings
from bench.messages import Sample, TimeBatch
from bench.plan.profiles import Profile
from bench.run.arm_state import ArmState, Batch, end_round
from bench.run.batch_calls import LONG_BATCH_S, agree, calls_for
from bench.run.near_arms import count_alike
from bench.run.pool import Pool
from bench.run.process import ArmError
from bench.run.race import LEAST_ROUNDS, Race

__all__ = ["FEWEST", "Limits", "Rounds"]

_WARM_S = 0.0005
"""Longer than caches and the branch predictor take to learn; about a part of a batch, of which the median counts."""
_MORE = 1.5
"""A batch is too short where its calls turn out to be so many times as fast as in the probes, all of which others
may have disturbed: what follows each look at the CPUs (an OpenMP thread has to wake up) would be most of its parts."""
_LENGTHENED = 2
"""How often a batch that was too short is made longer and measured again, at most."""
_TOO_LONG = 3.0
"""A batch that takes so many times as long as a long one is to be has fewer calls the next time,"""
_WAITING = 0.5
"""if its threads waited for a CPU for this share of it: beside others' work a call of several threads may take
milliseconds, and time is a promise.  An arm that is slow by itself, now and then, stays as it is."""
_EACH_WAY = 2
"""Rounds on one CPU before it is the next one's turn: the second has the order of the first, reversed (see `Race`)."""
FEWEST = 4
"""Rounds that are made however late it is: of fewer, none is left out, and the first often pays for fresh memory."""


@dataclass(frozen=True, slots=True)
class Limits:
    """How long an experiment is measured in one process of each arm.  Times in seconds."""

    seconds: float
    batch_s: float
    warm_s: float
    max_rounds: int
    most_s: float = math.inf
    """However few rounds there are by then, but for `FEWEST`."""

    @classmethod
    def of(cls, profile: Profile, seconds: float, most_s: float = math.inf) -> Limits:
        """The profile's, for rounds that get so many seconds."""
        return cls(seconds, profile.batch_s, _WARM_S, profile.max_rounds, most_s)


class Rounds:
    """The rounds of one experiment in one process of each arm."""

    def __init__(
        self,
        pool: Pool,
        states: Sequence[ArmState],
        limits: Limits,
        race: Race,
        *,
        watch: Watch,
        surroundings: Surroundings,
    ) -> None:
        self._watch, self._surroundings = watch, surroundings
        self._pool, self._states, self._limits, self._race = pool, states, limits, race
        self._witness = surroundings.witness({pool.pid(state.arm) for state in states if state.alive})
        self._latest: ArmState | None = None
        self._took: dict[int, float] = {}
        """Seconds from asking for the last batch of each arm to its answer, by the identity of its state."""
        self.limited = False
        """Whether the rounds ended because the next one would have ended too late."""
        self._began = surroundings.monotonic()

    def run(self) -> Iterator[int]:
        """Measure until nothing is due or time is up; the number of rounds so far, after each."""
        for number in range(self._limits.max_rounds):
            due = self._race.due(number)
            if not due:
                return
            if not self._fits(due, number):
                self.limited = True
                return
            self._round(deque((state, 0) for state in due), number)
            yield number + 1

    def _fits(self, due: Sequence[ArmState], number: int) -> bool:
        """Whether a whole round of these, after so many, ends in time: of half a one, pairs would have nothing."""
        took_s = self._surroundings.monotonic() - self._began
        end_s = took_s + sum(self._took.get(id(state), 0.0) for state in due)
        return (number < LEAST_ROUNDS or end_s <= self._limits.seconds) and (
            number < FEWEST or end_s <= self._limits.most_s
        )

    def _round(self, due: deque[tuple[ArmState, int]], number: int) -> None:
        """The batches that are due; one that turns out to be too short is the next that is due, with more calls."""
        measured: list[ArmState] = []
        longer = False
        self._surroundings.round_begins(number)
        self._witness.window()  # what others did meanwhile is of no account
        while due:
            state, lengthened = due.popleft()
            measurement = self._batch(state, number)
            if measurement is None:
                continue
            sample, looks = measurement
            calls = calls_for(min(sample.parts), state.batch_s)
            shorter = _shorter(sample, max(state.batch_s, LONG_BATCH_S))
            if shorter is None and calls > _MORE * state.iterations and lengthened < _LENGTHENED:
                state.iterations, longer = calls, True
                due.appendleft((state, lengthened + 1))
                continue
            state.iterations = shorter or state.iterations
            self._note(state, sample, looks, number, len(measured))
            measured.append(state)
        if longer:
            agree(measured)
        for reading_s in end_round(measured):
            self._race.evidence.slow.see(reading_s)
        count_alike(self._states)
        self._watch.cool()

    def _batch(self, state: ArmState, number: int) -> tuple[Sample, Readings] | None:
        """What the arm tells, and looks at the CPUs beside it; None where it failed, or tells what cannot be."""
        begun = self._surroundings.clock()
        before = self._surroundings.each_cpu() if state.is_parallel else ()
        request = TimeBatch(
            state.iterations, self._limits.warm_s, number // _EACH_WAY, pauses=self._pool.pauses
        )
        asked = self._surroundings.clock()
        try:
            sample = self._pool.call(state.arm, request)
            answered, looks = self._surroundings.clock(), sample.pace
            if sample.pauses:
                self._pool.pause(state.arm)
        except ArmError as error:
            state.fail(error.status, error.reason)
            return None
        if sample.in_threads:
            looks = tuple(look for look in (before, self._surroundings.each_cpu()) if look) or looks
        self._took[id(state)] = self._surroundings.clock() - begun
        problem = _impossible(sample, asked, answered) or sample.problem
        if problem is not None:
            state.fail("mistrusted", f"in round {number}: {problem}")
            return None
        if self._latest is not state:  # between two batches in a row nobody else is measured
            state.idle_s += sample.idle_s
            state.idle_cpu_s += sample.idle_cpu_s
            state.idle_faults += sample.idle_faults
            state.pauses += 1
        self._latest = state
        return sample, looks

    def _note(self, state: ArmState, sample: Sample, looks: Readings, number: int, order: int) -> None:
        """Put the batch into the arm's books."""
        self._witness.spent(self._pool.pid(state.arm), sample.total_cpu_s)
        low, _, high = (
            quantiles(sample.parts, n=4, method="inclusive") if len(sample.parts) > 1 else sample.parts * 3
        )
        state.batches.append(
            Batch(
                state.process,
                number,
                order,
                sample.iterations,
                seconds=median(sample.parts),
                mean_s=fmean(sample.parts),
                part_q25_s=low,
                part_q75_s=high,
                contended=self._witness.window().contended or bool(self._watch.throttled()),
                waited_s=sample.usage.waited_s,
                timed_s=sample.seconds * sample.iterations,
                wall_s=sample.ended - sample.began,
                cpu_s=sample.usage.cpu_s,
                cost=sample.cost,
                in_threads=sample.in_threads,
                sm_mhz=self._watch.sm_mhz(),
                cpu_reading_s=_reading(looks),
            )
        )


def _shorter(sample: Sample, long_s: float) -> int | None:
    """How many calls the next batch has where this one took far too long since others had the CPUs; else None."""
    took_s = sample.seconds * sample.iterations
    if took_s <= _TOO_LONG * long_s or sample.usage.waited_s <= _WAITING * took_s:
        return None
    return max(int(sample.iterations * long_s / took_s), 1)


def _reading(looks: Readings) -> float | None:
    """Seconds of the fixed arithmetic beside a batch: of the slowest CPU that it uses, the mean over the looks."""
    slowest = [max(seconds for _, seconds in look) for look in looks]
    return fmean(slowest) if slowest else None


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
