"""The measuring of a run: which experiment in which process, with how much time, and when it has ended.

Imports NumPy and SciPy, which collecting a plan must not need; `bench.run.run` imports it when something is measured.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace

from bench.judging.ceiling import Copies
from bench.machine.surroundings import HERE, Surroundings
from bench.plan.experiments import Arm, Experiment, weight
from bench.plan.option_table import MOST_PROCESSES
from bench.plan.settings import Settings
from bench.plan.time_plan import TimePlan
from bench.run import experiment as measuring
from bench.run.arm_state import ArmState
from bench.run.evidence import Evidence, learn
from bench.run.inline_pool import InlinePool
from bench.run.judged import is_resolved
from bench.run.outlook import Outlook
from bench.run.pool import Pool
from bench.run.process_pool import ProcessPool
from bench.run.progress import SILENT, Observer
from bench.run.time_account import TimeAccount
from bench.run.visits import Due, Visits
from bench.run.watched_pool import WatchedPool
from bench.stats.process_spread import ProcessSpread
from bench.stats.slow_cpus import SlowCpus
from bench.stats.verdicts import RESOLVE, Rounds
from kernels.api import Case

__all__ = ["End", "Ended", "Sitting", "pool_of"]

_FEW_ROUNDS = 1.5
"""An experiment that has fewer rounds than it needs may take so many times its share; later ones get less."""
Ended = tuple[Experiment, Sequence[ArmState], Evidence]
"""An experiment that has ended, its arms, and what its verdicts rest on."""
End = Callable[[Experiment, Sequence[ArmState], Evidence], None]
"""What is done with an experiment that has ended."""


class Sitting:
    """Measures the experiments that are `left`, in the time that they may take; `outlook` tells what is left of it.

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
        self._processes, most_s = allowed.processes, settings.max_seconds
        weights = sum(map(weight, left))
        visit_s = allowed.seconds / (self._processes * weights or 1.0)
        self._visits = Visits(left, lambda each: (most_s or 0.0) / self._processes or visit_s * weight(each))
        self._most_s = math.inf if most_s is None else most_s / self._processes
        self.outlook = Outlook(self._visits, allowed, self._most_s, surroundings)
        self._observer, self._visited = observer, 0
        self._over: list[Ended] = []
        """Of the block that is being measured; how processes differ, the whole block tells in the end."""
        self._pool: Pool | None = None
        self._spread, self._slow, self._copies = ProcessSpread(), SlowCpus(), Copies()

    def learn(self, ended: Iterable[tuple[Case, Sequence[tuple[str, bool, Rounds]]]]) -> None:
        """From experiments that ended in earlier sittings, arms as for `ProcessSpread.learn`: how processes differ."""
        for case, arms in ended:
            self._spread.learn(case.bytes_moved, arms)

    def close(self) -> None:
        """End all processes."""
        if self._pool is not None:
            self._pool.close()

    def measure(
        self,
        wanted: Experiment,
        ended: End,
        block_ended: Callable[[Sequence[Ended]], None] = lambda _: None,
    ) -> None:
        """Measure until all of the block of `wanted` have ended.

        `ended` is told of each as soon as it has, and `block_ended` of all in the end: those that ended first then
        rest on all that the last ones have shown.  Interrupted, `ended` is told of those that were measured in fewer
        processes than they were to be.
        """
        self._over = []
        try:
            self._measure_block(wanted, ended)
        except KeyboardInterrupt:
            self._keep(ended)
            raise
        block_ended([(one, states, replace(found, spread=self._spread)) for one, states, found in self._over])

    def _measure_block(self, wanted: Experiment, ended: End) -> None:
        block, over = [due.experiment for due in self._visits.block(wanted)], list[Experiment]()
        while left := [each for each in block if each not in over]:
            wanted = left[0]
            due = self._visits.due(wanted)
            if due.process > 1 and due.process != self.outlook.process:
                renounced = self._too_many(wanted)
                over += [self._renounced(each, ended) for each in renounced]
                if due in renounced:
                    continue
            evidence = self._evidence(due.experiment)
            states, rounds_s = self._visit(due, evidence)
            evidence = learn(evidence, states)
            if self._goes_on(due, states, evidence, due.rounds_s + rounds_s):
                self._visits.again(due, states, due.rounds_s + rounds_s)
                self.outlook.changed()
                continue
            over.append(self._ended(due, states, evidence, ended))

    def _keep(self, ended: End) -> None:
        """Experiments that were measured in a process end with that; what was under way in another is dropped."""
        for due in self._visits.begun():
            for state in due.states:
                state.batches = [batch for batch in state.batches if batch.process < due.process]
            self._renounced(due, ended)

    def _ended(self, due: Due, states: Sequence[ArmState], evidence: Evidence, ended: End) -> Experiment:
        self._visits.end(due)
        self.outlook.changed()
        self._spread = evidence.spread
        kept = replace(
            evidence, spread=ProcessSpread()
        )  # each has a copy of all differences: thousands in the end
        self._over.append((due.experiment, states, kept))
        ended(due.experiment, states, evidence)
        return due.experiment

    def _too_many(self, wanted: Experiment) -> list[Due]:
        """What of the block of `wanted` there is no time for in one more process of its arms."""
        visits = {(each.experiment, each.process): each for each in self._visits.block(wanted)}
        affordable = self.outlook.affordable(visits)
        return [due for visit, due in visits.items() if visit not in affordable]

    def _renounced(self, due: Due, ended: End) -> Experiment:
        """The experiment ends with the processes that it was measured in."""
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
        """Measure an experiment in one process of its arms; their states, and the seconds of its rounds."""
        self._observer.visit(due.experiment, due.process)
        experiment, pool = due.experiment, self._pool_of(due)
        limits = self._limits(due)
        states = due.states or [ArmState(arm) for arm in experiment.arms]
        visit = measuring.Visit(evidence, states, due.process, self._observer)
        begin = self._surroundings.monotonic()
        measured = measuring.run(experiment, pool, limits, self._visited, self._surroundings, visit=visit)
        took_s = self._surroundings.monotonic() - begin
        self.outlook.visited((experiment, due.process), took_s, measured)
        self._visited += 1
        self._account.add_renewed(measured.renewed_s)
        self._account.rounds_s += measured.rounds_s
        return measured.states, measured.rounds_s

    def _limits(self, due: Due) -> measuring.Limits:
        """Of the rounds of the visit that comes next."""
        most_s = min(self._most_s, (self._settings.max_seconds or math.inf) - due.rounds_s)
        share_s = min(self.outlook.next_rounds_s(), most_s)
        most_s = min(_FEW_ROUNDS * share_s, most_s)
        return measuring.Limits.of(self._settings.profile, share_s, most_s)

    def _pool_of(self, due: Due) -> Pool:
        """The processes that the experiment is due in; those of other visits are ended."""
        if self._pool is not None and self.outlook.process == due.process:
            return self._pool
        begin = self._surroundings.monotonic()
        self.close()
        pool = WatchedPool(self._start(self._settings, due.process), self._observer)
        self._pool, self.outlook.process = pool, due.process
        self._pool.open(self._arms_with(due), due.experiment.case.threads)
        took_s = self._surroundings.monotonic() - begin
        self.outlook.started(took_s)
        self._account.start_up_s += took_s
        return self._pool

    def _arms_with(self, due: Due) -> Sequence[Arm]:
        """All that will be asked in the processes of that visit: they start side by side."""
        threads = due.experiment.case.threads
        alike = (
            each.experiment
            for each in self._visits.block(due.experiment)
            if each.process == due.process and each.experiment.case.threads == threads
        )
        return tuple(dict.fromkeys(arm for each in alike for arm in each.arms_in(due.process)))

    def _goes_on(self, due: Due, states: Sequence[ArmState], evidence: Evidence, rounds_s: float) -> bool:
        """Whether the experiment is to be measured in another process of its arms."""
        settings = self._settings
        if not any(state.timed and not state.arm.is_control for state in states):
            return False
        if due.process < self._processes:
            return True
        if settings.resolve is None or settings.inline or due.process >= MOST_PROCESSES:
            return False
        most_s = settings.max_seconds
        again = (due.experiment, due.process + 1)
        if most_s is None:
            has_time = bool(self.outlook.affordable([again]))
        else:
            has_time = rounds_s + self.outlook.least_s(again) <= most_s
        return has_time and not is_resolved(states, evidence)


def pool_of(settings: Settings, process: int) -> Pool:
    """For the arms' processes of that number: the first have one layout of their address space, later ones any."""
    if settings.inline:
        return InlinePool(settings.plugins)
    return ProcessPool(settings.plugins, settings.cell_timeout, random_layout=process > 1)
