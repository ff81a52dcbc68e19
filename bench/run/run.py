"""A run: its plan, its files, and each experiment measured when it is first asked for.

Knows nothing of pytest; the pytest plugin and the scripts drive it.
"""

from __future__ import annotations

import contextlib
import dataclasses
import itertools
import os
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from bench.machine import environment
from bench.machine.slowness import slowness
from bench.machine.surroundings import HERE, Surroundings
from bench.plan.cold_caches import compiling, need_of
from bench.plan.experiments import Arm, Experiment, experiments, weight
from bench.plan.settings import Settings
from bench.plan.shards import part_of
from bench.plan.time_plan import PLANNED_CPUS, time_plan
from bench.records.columns import TIMED
from bench.records.compiled import Compiled
from bench.records.lines import Key, key_of
from bench.records.lock import alone_in, alone_on_this_machine
from bench.records.schema import Cell, CellName
from bench.records.stored import Stored
from bench.records.writing import RunFiles
from bench.run import identity
from bench.run.progress import SILENT, Observer
from bench.run.time_account import TimeAccount
from bench.text.private import anonymous, secrets_in, without
from kernels.api import Case

if TYPE_CHECKING:
    from bench.run.arm_state import ArmState
    from bench.run.evidence import Evidence
    from bench.run.sitting import Ended, Sitting
    from bench.stats.verdicts import Rounds

__all__ = ["CellResult", "Run", "plan"]

_RETRIED = frozenset({"noisy", "incorrect", "mistrusted", "failed", "crashed", "timeout", "oom"})
_PASSED = frozenset({"ok", "noisy", "skipped"})


@dataclass(frozen=True, slots=True)
class CellResult:
    """One cell as it stands in the files, and its rounds in seconds per call."""

    cell: Cell
    seconds: tuple[float, ...]

    @property
    def passed(self) -> bool:
        """Whether the cell ended as it should: measured, or skipped with a reason."""
        return self.cell.status in _PASSED


def plan(settings: Settings) -> tuple[Experiment, ...]:
    """All experiments that the settings ask for; imports no framework."""
    planned = experiments(settings.grids, settings.backends, settings.baseline, settings.variants)
    return part_of(planned, settings.shard)


class Run:
    """One run under way.  Use as a context manager, so that no process outlives it."""

    def __init__(
        self,
        settings: Settings,
        chosen: Sequence[Experiment],
        surroundings: Surroundings = HERE,
        observer: Observer = SILENT,
    ) -> None:
        self.settings, self._surroundings, self._observer = settings, surroundings, observer
        self.chosen = tuple(chosen)
        self.run_id = settings.run_id or identity.new_run_id(settings.results)
        self.files = RunFiles(settings.results / self.run_id)
        self.account = TimeAccount()
        self._machine = environment.machine_name()
        self._left = list(self.chosen)
        self._keys = {each: [self.key(each, arm) for arm in each.arms] for each in self.chosen}
        self._statuses: dict[Key, str] = {}
        """Of the cells that were measured; they themselves are read from the files again where they are asked for."""
        self._compiled = Compiled(settings.plugins)
        held = self._compiled.held(arm for each in self.chosen for arm in each.arms)
        self._allowed = time_plan(settings, self.chosen, compiling(self.chosen, held), slowness(PLANNED_CPUS))
        self._secrets = secrets_in(
            itertools.chain(os.environ.items(), *(variant.environ for variant in settings.variants))
        )
        self._sitting: Sitting | None = None

    @property
    def _devices(self) -> list[str]:
        return sorted({experiment.case.device for experiment in self.chosen})

    def __enter__(self) -> Run:
        if self.settings.retry_failed and not self.files.cells_path.exists():
            raise identity.no_such_run(self.run_id, self.settings.results)
        with contextlib.ExitStack() as held:
            held.enter_context(alone_in(self.files.folder))
            self._go_on()
            if self._left and not self.settings.force:
                held.enter_context(alone_on_this_machine(f"run {self.files.folder}"))
            self._held = held.pop_all()
        return self

    def _go_on(self) -> None:
        """Read what there is of the run, and see what is left."""
        stored = self.files.open()
        stored.expect(key for keys in self._keys.values() for key in keys)
        before = self.files.environment()
        now = identity.conditions(self.settings, self._allowed.processes, self._devices)
        now = anonymous(now) if self.settings.anonymise else now
        if before is not None:
            identity.check_same(self.run_id, before, now)
        else:
            self.files.write_environment(now)
        self._environment = before or now
        retry = _RETRIED if self.settings.retry_failed else frozenset()
        asked = (key for keys in self._keys.values() for key in keys if key in stored)
        self._statuses = {key: stored.statuses[key] for key in asked if stored.statuses[key] not in retry}
        self._left = [experiment for experiment in self.chosen if not self._complete(experiment)]
        share = sum(map(weight, self._left)) / (sum(map(weight, self.chosen)) or 1.0)
        once_s = self._allowed.compiling.seconds
        seconds = (self._allowed.seconds - once_s) * share + once_s  # what a run that goes on had is spent
        self._allowed = dataclasses.replace(self._allowed, seconds=seconds)
        for experiment in self._left:  # measured again as a whole: none of its old rows may be replayed
            for arm in experiment.arms:
                self._statuses.pop(self.key(experiment, arm), None)

    def __exit__(self, *_: object) -> None:
        with self._held:
            self._close()

    def _close(self) -> None:
        if self._sitting is not None:
            self._sitting.close()
        if self.account.measured:
            sitting = self.account.sitting() | identity.cards("cards_after", self._devices)
            self._environment.setdefault("sittings", []).append(sitting)
            self.files.write_environment(self._environment)
        self.files.catch_up()

    def key(self, experiment: Experiment, arm: Arm) -> Key:
        """What names this cell in the files."""
        return key_of(CellName(self.run_id, arm.backend, arm.variant.name, arm.role, experiment.case))

    def _complete(self, experiment: Experiment) -> bool:
        return all(key in self._statuses for key in self._keys_of(experiment))

    def _keys_of(self, experiment: Experiment) -> Sequence[Key]:
        known = self._keys.get(experiment)
        return known or [self.key(experiment, arm) for arm in experiment.arms]

    def _stored(self, key: Key, case: Case) -> Stored:
        """What the files have of a cell."""
        return self.files.stored.of_case(key, case)

    @property
    def left(self) -> Sequence[Experiment]:
        """The experiments that are still to be measured."""
        return tuple(self._left)

    @property
    def processes(self) -> int:
        """In how many processes each arm is to be measured."""
        return self._allowed.processes

    @property
    def compile_s(self) -> float:
        """Seconds of the announced time that are expected to go to compilers."""
        return self._allowed.compiling.seconds

    def seconds_left(self) -> float:
        """What the experiments still to come will take, at the pace so far."""
        if not self._left:
            return 0.0
        return self._allowed.seconds if self._sitting is None else self._sitting.outlook.seconds_left()

    def least_left(self) -> float:
        """What they will take in any case, by what was seen; 0 before anything was."""
        return 0.0 if self._sitting is None or not self._left else self._sitting.outlook.least_left()

    def measure(self, experiment: Experiment) -> bool:
        """Measure the experiment, and those of its block, if that has not been done; whether it was done now."""
        if self._complete(experiment):
            return False
        self._sit().measure(experiment, self._end, self._judge_again)
        return True

    def result(self, experiment: Experiment, arm: Arm) -> CellResult:
        """The cell and its rounds, once its experiment has been measured.  Raises KeyError before."""
        key = self.key(experiment, arm)
        if key not in self._statuses:
            raise KeyError(key)
        stored = self._stored(key, experiment.case)
        return CellResult(stored.cell, tuple(stored.rounds.values()))

    def rows(self, experiments: Iterable[Experiment] | None = None) -> list[Cell]:
        """The cells there are (of some experiments), in the order of the arms."""
        chosen = self.chosen if experiments is None else experiments
        return [
            self._stored(key, experiment.case).cell
            for experiment in chosen
            for key in self._keys_of(experiment)
            if key in self._statuses
        ]

    def statuses(self) -> Counter[str]:
        """How many of the cells there are ended how."""
        return Counter(self._statuses.values())

    def _sit(self) -> Sitting:
        """What measures, from the first experiment that has to be measured on."""
        if self._sitting is None:
            from bench.run.sitting import Sitting  # noqa: PLC0415  # NumPy, which collecting a plan must not need

            self._sitting = Sitting(
                self.settings,
                self._left,
                self._allowed,
                self._surroundings,
                account=self.account,
                observer=self._observer,
            )
            self._sitting.learn(map(self._ended_before, filter(self._complete, self.chosen)))
        return self._sitting

    def _ended_before(self, experiment: Experiment) -> tuple[Case, list[tuple[str, bool, Rounds]]]:
        """What an experiment of an earlier sitting showed of its processes."""
        found = [self._stored(key, experiment.case) for key in self._keys_of(experiment)]
        return experiment.case, [
            (each.cell.backend, each.cell.kind == "parallel", each.rounds)
            for each in found
            if each.cell.status in TIMED
        ]

    def _end(self, experiment: Experiment, states: Sequence[ArmState], evidence: Evidence) -> None:
        """Write down an experiment that has ended."""
        self._store([(experiment, states, evidence)])
        fetched = (need_of(s.arm, experiment.case_for(s.arm)) for s in states if s.fetched)
        self._compiled.add(need for need in fetched if need is not None)
        self._left.remove(experiment)
        self.account.count(experiment, states)
        self._observer.ended(experiment)

    def _judge_again(self, block: Sequence[Ended]) -> None:
        """Write the experiments of a block anew, with all that it has shown of processes and slow CPUs."""
        if len(block) > 1:
            self._store(block)

    def _told(self, reason: str) -> str:
        """A reason as it may be written: foreign code may have put anything that it knows into it."""
        told = without(self._secrets, reason)
        return anonymous(told) if self.settings.anonymise else told

    def _store(self, ended: Sequence[Ended]) -> None:
        from bench.run import rows  # noqa: PLC0415  # as above

        shard = "" if self.settings.shard is None else str(self.settings.shard)
        stamp = rows.Stamp(self.run_id, self._machine, environment.utc_now(), shard)
        cells = [cell for each in ended for cell in rows.cells_of(*each[:2], stamp, each[2])]
        cells = [dataclasses.replace(cell, reason=self._told(cell.reason)) for cell in cells]
        rounds = [found for each in ended for found in rows.rounds_of(*each[:2], stamp, each[2])]
        compiles = [found for each in ended for found in rows.compiles_of(*each[:2], stamp)]
        self.files.append(cells, rounds, compiles)
        keys = (key for experiment, *_ in ended for key in self._keys_of(experiment))
        self._statuses |= {key: self.files.stored.statuses[key] for key in keys}
