"""The measuring of a run: which experiment in which process, with how much time, and when it has ended.

Imports NumPy and SciPy, which collecting a plan must not need; `bench.run.run` imports it when something is measured.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Sequence

from bench.judging.ceiling import Copies
from bench.machine.surroundings import HERE, Surroundings
from bench.plan.experiments import Experiment, weight
from bench.plan.options import MOST_PROCESSES
from bench.plan.settings import Settings
from bench.plan.time_plan import TimePlan
from bench.run import experiment as measuring
from bench.run.arm_state import ArmState
from bench.run.budget import Budget
from bench.run.evidence import Evidence, learn
from bench.run.inline_pool import InlinePool
from bench.run.judged import is_resolved
from bench.run.pool import Pool, ProcessPool
from bench.run.progress import SILENT, Observer
from bench.run.race import LEAST_ROUNDS
from bench.run.time_account import TimeAccount
from bench.run.time_left import Pace, Took
from bench.run.visits import Due, Visits
from bench.run.watched_pool import WatchedPool
from bench.stats.process_spread import ProcessSpread
from bench.stats.slow_cpus import SlowCpus
from bench.stats.verdicts import RESOLVE, Rounds
from kernels.api import Case

__all__ = ["Sitting", "pool_of"]

_FEW_ROUNDS = 1.5
"""An experiment that has fewer rounds than it needs may take so many times its share; later ones get less."""
Ended = Callable[[Experiment, Sequence[ArmState], Evidence], None]
"""What is done with an experiment that has ended."""


class Sitting:
    """Measures the experiments that are `left`, in the time that they may take.

    `start` makes the pool of the arms' processes of a number.
    """

    def __init__(
        self,
        settings: Settings,
        left: Sequence[Experiment],
        allowed: TimePlan,
        surroundings: Surroundings = HERE,
        *,
        account: TimeAccount,
        observer: Observer = SILENT,
        start: Callable[[Settings, int], Pool] | None = None,
    ) -> None:
        self._settings, self._account, self._surroundings = settings, account, surroundings
        self._start = start or pool_of
        self._processes = allowed.processes
        weights = sum(map(weight, left))
        visit_s = allowed.seconds / (self._processes * weights or 1.0)
        self._visits = Visits(
            left, lambda each: (settings.max_seconds or 0.0) / self._processes or visit_s * weight(each)
        )
        self._weights_left = self._processes * weights
        self.budget = Budget(allowed.seconds, allowed.start_up_s, self._processes * self._visits.blocks)
        self._observer, self._pace = observer, Pace(allowed.seconds, surroundings.monotonic())
        self._visited = 0
        self._pool: Pool | None = None
        self._pool_process = 0
        self._spread, self._slow, self._copies = ProcessSpread(), SlowCpus(), Copies()

    def learn(self, ended: Iterable[tuple[Case, Sequence[tuple[str, bool, Rounds]]]]) -> None:
        """From experiments that ended in earlier sittings, arms as for `ProcessSpread.learn`: how processes differ."""
        for case, arms in ended:
            self._spread.learn(case.bytes_moved, arms)

    def seconds_left(self) -> float:
        """What the visits to come will take, at the pace so far."""
        visits = list(self._visits.left(self._processes))
        processes = [self._pool_process, *(process for _, process in visits)]
        starts = sum(one != other for one, other in itertools.pairwise(processes))
        unlimited = self._settings.max_seconds is not None and self._settings.minutes is None
        budget_s = None if unlimited else self.budget.left_s
        return self._pace.seconds_left(visits, starts, budget_s, self._surroundings.monotonic())

    def close(self) -> None:
        """End all processes."""
        if self._pool is not None:
            self._pool.close()

    def measure(self, wanted: Experiment, ended: Ended) -> None:
        """Measure until `wanted` has ended; others of its block may be measured, and end, on the way."""
        over: list[Experiment] = []
        while wanted not in over:
            due = self._visits.due(wanted)
            if due.process > 1 and due.process != self._pool_process and not self._has_time(wanted):
                over += [self._renounced(each, ended) for each in self._visits.block(wanted)]
                continue
            evidence = self._evidence(due.experiment)
            states, took_s = self._visit(due, evidence)
            evidence = learn(evidence, states)
            if self._goes_on(due, states, evidence, due.spent_s + took_s):
                self._visits.again(due, states, due.spent_s + took_s)
                continue
            over.append(self._ended(due, states, evidence, ended))

    def _ended(self, due: Due, states: Sequence[ArmState], evidence: Evidence, ended: Ended) -> Experiment:
        self._visits.end(due)
        self._spread = evidence.spread
        ended(due.experiment, states, evidence)
        return due.experiment

    def _has_time(self, wanted: Experiment) -> bool:
        """Whether the block of `wanted` can be measured in one more process of its arms."""
        return self.budget.has_time(sum(weight(each.experiment) for each in self._visits.block(wanted)))

    def _renounced(self, due: Due, ended: Ended) -> Experiment:
        """The experiment ends with the processes that it was measured in."""
        left = max(self._processes - due.process + 1, 0)
        self._weights_left = max(self._weights_left - left * weight(due.experiment), 0.0)
        if self._visits.block(due.experiment) == (due,):
            self.budget.renounce(left)
        return self._ended(due, due.states, learn(self._evidence(due.experiment), due.states), ended)

    def _evidence(self, experiment: Experiment) -> Evidence:
        settings = self._settings
        resolve = settings.resolve or RESOLVE
        return Evidence(
            experiment.case.bytes_moved,
            self._spread,
            self._slow,
            self._copies,
            resolve,
            settings.target_ci,
            self._processes,
        )

    def _visit(self, due: Due, evidence: Evidence) -> tuple[Sequence[ArmState], float]:
        """Measure an experiment in one process of its arms; their states, and the seconds that it took."""
        self._observer.visit(due.experiment, due.process)
        experiment, pool = due.experiment, self._pool_of(due)
        limits = self._limits(experiment)
        states = due.states or [ArmState(arm) for arm in experiment.arms]
        visit = measuring.Visit(evidence, states, due.process, self._observer)
        begin = self._surroundings.monotonic()
        measured = measuring.run(experiment, pool, limits, self._visited, self._surroundings, visit=visit)
        now = self._surroundings.monotonic()
        took_s = now - begin - measured.renewed_s
        self._pace.visited(experiment, due.process, _took(now - begin, limits, due.process, measured), now)
        self._visited += 1
        self.budget.spend(weight(experiment), took_s, measured.rounds_s)
        self._weights_left = max(self._weights_left - weight(experiment), 0.0)
        self._account.add_renewed(measured.renewed_s)
        self._account.rounds_s += measured.rounds_s
        return measured.states, took_s

    def _limits(self, experiment: Experiment) -> measuring.Limits:
        """Of its rounds in one process."""
        share_s = self.budget.rounds_s(weight(experiment), self._weights_left)
        most_s = self._settings.max_seconds
        if most_s is None:
            most_s = _FEW_ROUNDS * self.budget.share_s(weight(experiment), self._weights_left)
            return measuring.Limits.of(self._settings.profile, share_s, most_s)
        most_s /= self._processes
        return measuring.Limits.of(self._settings.profile, min(most_s, share_s), most_s)

    def _pool_of(self, due: Due) -> Pool:
        """The processes that the experiment is due in; those of other visits are ended."""
        if self._pool is not None and self._pool_process == due.process:
            return self._pool
        begin = self._surroundings.monotonic()
        self.close()
        pool = WatchedPool(self._start(self._settings, due.process), self._observer)
        self._pool, self._pool_process = pool, due.process
        self._pool.open(due.experiment.arms, due.experiment.case.threads)
        now = self._surroundings.monotonic()
        took_s = now - begin
        self._pace.started(took_s, now)
        self._account.start_up_s += took_s
        self.budget.start_up(took_s)
        return self._pool

    def _goes_on(self, due: Due, states: Sequence[ArmState], evidence: Evidence, spent_s: float) -> bool:
        """Whether the experiment is to be measured in another process of its arms."""
        settings = self._settings
        if not any(state.timed and not state.arm.is_control for state in states):
            return False
        if due.process < self._processes:
            return True
        if settings.resolve is None or settings.inline or due.process >= MOST_PROCESSES:
            return False
        most_s = settings.max_seconds
        has_time = self.budget.has_time(weight(due.experiment)) if most_s is None else spent_s < most_s
        return has_time and not is_resolved(states, evidence)


def _took(seconds: float, limits: measuring.Limits, process: int, measured: measuring.Measured) -> Took:
    """What a visit took."""
    batches = [b for state in measured.states for b in state.batches if b.process == process]
    fewest = sum(b.timed_s for b in batches if b.round < LEAST_ROUNDS)
    share = fewest / sum(b.timed_s for b in batches) if batches else 1.0
    return Took(
        measured.rounds_s,
        measured.rounds_s * share,
        seconds - measured.rounds_s,
        measured.rounds_s >= limits.seconds,
    )


def pool_of(settings: Settings, process: int) -> Pool:
    """For the arms' processes of that number: the first have one layout of their address space, later ones any."""
    if settings.inline:
        return InlinePool(settings.plugins)
    return ProcessPool(settings.plugins, settings.cell_timeout, random_layout=process > 1)
