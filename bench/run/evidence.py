"""What verdicts on the arms of an experiment rest on, while it runs and when it has ended."""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property

from bench.judging.ceiling import Copies
from bench.plan.experiments import Arm
from bench.run.arm_state import ArmState, Batch, acting_baseline
from bench.stats.estimates import Interval
from bench.stats.fastest import COMPETING
from bench.stats.moderation import UNKNOWN, RoundVariance, each_beside, moderated, round_variance
from bench.stats.process_spread import (
    AT_FIRST_DF,
    Difference,
    ProcessSpread,
    Spread,
    size,
    variance_between,
)
from bench.stats.slow_cpus import SlowCpus
from bench.stats.verdicts import RESOLVE, Pair, Rounds, Verdict, alone, judge, pair_of, time_interval, time_of

__all__ = ["Evidence", "learn", "learn_slopes"]

_CAREFUL = 1.2
"""A pair is decided early if it would be with an error so many times as large: each look is a chance of luck, and how
much this process differs from the others is known only when it has ended.  With 1.1 a third of the arms that were a
tenth slower and stayed unresolved had been let go of before the time was up."""
_RELATIVE = 0.3
"""More rounds are of no use where their share of the error is less than this, relative to that of the processes, once
it is known."""


@dataclass(frozen=True)
class _Counted:
    """What the rounds of an arm count with, and what that rests on besides the last of its batches."""

    state: ArmState
    last: Batch | None
    rests_on: tuple[int, float, int, bool]
    """How many batches there are, the usual reading of the CPUs' speed, how often slopes were learnt, and whether whole
    batches count."""
    rounds: Rounds

    @cached_property
    def seconds(self) -> float:
        """Of a call; there is at least one round."""
        return time_of(self.rounds)


@dataclass(frozen=True, slots=True)
class Evidence:
    """How much processes differ, what slow CPUs cost, how fast bytes can be copied, and what is asked."""

    bytes_moved: int
    spread: ProcessSpread = field(default_factory=ProcessSpread)
    slow: SlowCpus = field(default_factory=SlowCpus)
    copies: Copies = field(default_factory=Copies)
    resolve: float = RESOLVE
    """The fraction within which arms are the same."""
    target_ci: float | None = None
    """Half the width of a time's interval that is asked for besides, as a fraction."""
    processes: int = 1
    """In how many processes each arm will have been measured in the end."""
    own: Mapping[Arm, Sequence[Difference]] = field(default_factory=dict)
    """Between processes of the arm itself, where it has several."""
    rounds_vary: RoundVariance = UNKNOWN
    """What the pairs of the experiment have in common."""

    _counted: dict[int, _Counted] = field(default_factory=dict, init=False, repr=False, compare=False)
    """What the rounds of each arm counted with when they were asked for last, by the identity of its state."""

    def rounds(self, state: ArmState) -> Rounds:
        """Seconds per call that each round counts with, by the numbers of the process and of the round.

        What slow CPUs explain is off.
        """
        return self._count(state).rounds

    def _count(self, state: ArmState) -> _Counted:
        """Asked for every pair after every round, and worked out anew once something has changed that it rests on."""
        last = state.batches[-1] if state.batches else None
        rests_on = len(state.batches), self.slow.usual_s, self.slow.learnt, state.by_whole_batches
        found = self._counted.get(id(state))
        if found is None or found.state is not state or found.last is not last or found.rests_on != rests_on:
            found = self._counted[id(state)] = _Counted(state, last, rests_on, self._rounds(state))
        return found

    def _rounds(self, state: ArmState) -> Rounds:
        whole = state.by_whole_batches
        times = [(b.mean_s if whole else b.seconds, b.shared_reading_s) for b in state.batches]
        places = [(b.process, b.round) for b in state.batches]
        return dict(zip(places, self.slow.times_without(self.slowed_as(state), times), strict=True))

    def slowed_as(self, state: ArmState) -> str:
        """The class of arms that a slow CPU slows down alike."""
        return f"{'parallel' if state.is_parallel else 'serial'} {size(self.bytes_moved)}"

    def leader(self, states: Sequence[ArmState]) -> ArmState | None:
        """The fastest of those that are ranked, as far as is known."""
        timed = [state for state in states if state.timed and state.arm.role in COMPETING]
        return min(timed, key=lambda state: self._count(state).seconds, default=None)

    def asked_about(
        self, states: Sequence[ArmState], baseline: ArmState | None = None
    ) -> list[tuple[ArmState, ArmState]]:
        """Each implementation beside the baseline and beside the leader; an ablation beside the whole network.

        `baseline` is that of the experiment, by default the one among these.
        """
        alive = [state for state in states if state.alive]
        ranked = [state for state in alive if state.arm.role in COMPETING]
        others = {id(each) for each in (baseline or acting_baseline(states), self.leader(alive))}
        pairs = each_beside(ranked, [state for state in ranked if id(state) in others])
        ablations = [state for state in alive if state.arm.role == "ablation"]
        return pairs + [(state, one) for state in ablations for one in ranked if _same(state, one)]

    def of(self, state: ArmState) -> Spread:
        """How much processes of that arm differ."""
        return self.spread.spread(state.arm.backend, self.bytes_moved, self.own.get(state.arm, ()))

    def _together(self, one: ArmState, other: ArmState) -> tuple[float, float]:
        """The variance of the log ratio of two processes, one of each, and its degrees of freedom."""
        alike = one.is_parallel is other.is_parallel
        return variance_between(self.of(one), self.of(other), alike=alike)

    def time(self, state: ArmState) -> Interval | None:
        """Seconds per call, with the interval for a new process (0 to inf: not known); None where nothing was timed."""
        pair, spread = alone(self.rounds(state)), self.of(state)
        return None if pair is None else time_interval(pair, spread.sd**2 + spread.kind_sd**2, spread.df)

    def precise(self, state: ArmState) -> bool:
        """Whether the interval of its time is as narrow as was asked for."""
        time = None if self.target_ci is None else self.time(state)
        return time is None or time.half_width <= (self.target_ci or 0.0)

    def verdict(self, one: ArmState, other: ArmState) -> Verdict | None:
        """On `one` beside `other`; None where they have no round in common."""
        pair = pair_of(self.rounds(one), self.rounds(other))
        if pair is None:
            return None
        return judge(moderated(pair, self.rounds_vary), *self._together(one, other), self.resolve)

    def undecided(self, states: Sequence[ArmState]) -> list[tuple[ArmState, ArmState]]:
        """The pairs asked about of which more rounds would change what is known once all processes are measured."""
        asked = self.asked_about(states)
        both = zip(asked, self.pairs(asked), strict=True)
        return [each for each, pair in both if pair is None or not self._decided(*each, pair)]

    def pairs(self, asked: Sequence[tuple[ArmState, ArmState]]) -> list[Pair | None]:
        """What the rounds say of each two; None where they have no round in common."""
        rounds = {id(state): self.rounds(state) for state in itertools.chain(*asked)}
        return [pair_of(rounds[id(one)], rounds[id(other)]) for one, other in asked]

    def varying(self, states: Sequence[ArmState], baseline: ArmState | None = None) -> Evidence:
        """The same with what the rounds of these arms, by what is known now, have in common (see `asked_about`)."""
        pairs = self.pairs(self.asked_about(states, baseline))
        return replace(self, rounds_vary=round_variance(filter(None, pairs)))

    def _decided(self, one: ArmState, other: ArmState, pair: Pair) -> bool:
        if not math.isfinite(pair.se):
            return False
        variance, df = self._together(one, other)
        share = min(pair.processes / self.processes, 1.0)
        later = replace(
            pair,
            se=pair.se * math.sqrt(share),
            rounds=round(pair.rounds / share),
            processes=max(self.processes, pair.processes),
            df=pair.df / share,
            worth=pair.worth / share,
        )
        between = math.sqrt(variance / later.worth)
        if df > AT_FIRST_DF and later.se < _RELATIVE * between:
            return True
        careful = replace(later, se=later.se * _CAREFUL)
        return judge(careful, variance * _CAREFUL**2, df, self.resolve).word != "unresolved"


def _same(ablation: ArmState, whole: ArmState) -> bool:
    return (ablation.arm.backend, ablation.arm.variant) == (whole.arm.backend, whole.arm.variant)


def learn_slopes(evidence: Evidence, states: Sequence[ArmState]) -> None:
    """What slow CPUs cost these arms in the process that they were measured in last."""
    for state in states:
        mine = [batch for batch in state.batches if batch.process == state.process]
        logs = [(math.log(b.seconds), evidence.slow.excess(b.shared_reading_s)) for b in mine]
        evidence.slow.learn(evidence.slowed_as(state), logs)


def learn(evidence: Evidence, states: Sequence[ArmState]) -> Evidence:
    """The same with what these arms, in all their processes, show of how much processes and rounds differ."""
    timed = [state for state in states if state.timed]
    arms = [(state.arm.backend, state.is_parallel, evidence.rounds(state)) for state in timed]
    spread = evidence.spread.copy()
    found = zip(timed, spread.learn(evidence.bytes_moved, arms), strict=True)
    own = {state.arm: each for state, each in found}
    return replace(evidence, spread=spread, own=own).varying(states)
