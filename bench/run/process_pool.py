"""The arms' processes, kept from one experiment to the next.

Importing a framework takes seconds; restarting every arm for every experiment would spend most of a run on it.  So
a process is kept while it lives, one for each arm and thread count (some frameworks fix their thread pool once),
and is replaced after a crash or a timeout.

A process that has compiled differs, for as long as it lives, from one that fetched the same code from the
compiler's cache (docs/method.md).  So it is never timed: the arms of its backend get fresh
processes, and it goes on as a `Compiler`, which is asked for each later case before the arms are.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar

from bench.arm import worker
from bench.arrays.shared_inputs import SharedInputs
from bench.channel import Request
from bench.machine.environment import last_level_cache, usable_cpus
from bench.machine.pausing import CAN_PAUSE
from bench.messages import ArmRequest, Loaded, Open, Prepare, Prepared, Release, Trim
from bench.plan.cold_caches import COMPILERS
from bench.plan.experiments import Arm, Variant
from bench.plan.interpreters import environ_of
from bench.run.pool import SEED, told_where
from bench.run.process import ArmError, ChildProcess, ask_all
from kernels.api import Case

__all__ = ["Compiler", "ProcessPool", "asking_order"]

A = TypeVar("A")


@dataclass(frozen=True, slots=True)
class Compiler:
    """Names the process that compiles for a backend's arms under one variant, and is never timed."""

    backend: str
    variant: Variant

    @classmethod
    def of(cls, arm: Arm) -> Compiler:
        """The arm's."""
        return cls(arm.backend, arm.variant)


Member = Arm | Compiler
"""What a process is kept for."""


def asking_order(members: Sequence[Member]) -> list[int]:
    """Their places, who takes longest to import and to prepare first: the others have their turns beside it."""

    def first_s(place: int) -> float:
        compiler = COMPILERS.get(members[place].backend)
        return compiler.first_s if compiler else 0.0

    return sorted(range(len(members)), key=first_s, reverse=True)


def _told_whose(member: Member, outcome: Loaded | ArmError) -> Loaded | ArmError:
    """Of another Python the reason says which: what lacks is to be installed there."""
    if isinstance(outcome, ArmError) and member.variant.python:
        return ArmError(outcome.status, f"{outcome.reason} (in {member.variant.python})")
    return outcome


class ProcessPool:
    """One process for each arm, and one for each compiler that has had to work.

    `random_layout`: see `ChildProcess`.
    """

    pauses = CAN_PAUSE

    def __init__(
        self, plugins: Mapping[str, str], cell_timeout: float, *, random_layout: bool = False
    ) -> None:
        self.compilers: set[Compiler] = set()
        self.uncached: set[str] = set()
        """Backends whose compilers keep nothing from one process to the next."""
        self._ahead: set[Arm] = set()
        self._plugins, self._random_layout = dict(plugins), random_layout
        self._timeout = cell_timeout
        self._at_once = usable_cpus()
        self._processes: dict[Member, ChildProcess] = {}
        self._loaded: dict[Member, Loaded | ArmError] = {}
        self._threads = 0
        self._shared = SharedInputs(SEED)
        self._chances: dict[Member, int] = defaultdict(lambda: 2)

    def open(self, arms: Sequence[Arm], threads: int) -> dict[Arm, Loaded | ArmError]:
        """Start what is missing, all at once; an arm whose import raised is not tried again."""
        if threads != self._threads:
            self.close()
            self._threads = threads
        self._start(arms)
        return {arm: self._loaded[arm] for arm in arms}

    def _start(self, members: Sequence[Member]) -> None:
        new = [
            each
            for each in members
            if each not in self._processes and not self._hopeless(each) and self._has_started(each)
        ]
        opening = [
            Open(
                member.backend,
                member.role if isinstance(member, Arm) else "candidate",
                self._plugins,
                SEED,
                last_level_cache(),
            )
            for member in new
        ]
        loaded = map(_told_whose, new, self._ask(new, opening))
        self._loaded.update(zip(new, loaded, strict=True))

    def _has_started(self, member: Member) -> bool:
        """Start its process, or note why that cannot be."""
        try:
            self._processes[member] = ChildProcess(
                worker.__name__,
                environ_of(member.variant),
                python=member.variant.python,
                random_layout=self._random_layout,
            )
        except OSError as error:
            self._loaded[member] = ArmError(
                "failed", f"its process cannot be started: {error.strerror or error}"
            )
            return False
        return True

    def _hopeless(self, member: Member) -> bool:
        """Whether its import has failed for good; one that took too long or died gets a second chance."""
        loaded = self._loaded.get(member)
        if not isinstance(loaded, ArmError):
            return False
        self._chances[member] -= 1
        return loaded.status not in ("timeout", "crashed") or self._chances[member] <= 0

    def call(self, arm: Arm, request: ArmRequest[A]) -> A:
        """Ask the arm's process; one that does not answer is ended and started anew when next needed."""
        try:
            return self._processes[arm].call(request, self._timeout)
        except ArmError:
            self._bury(arm)
            raise

    def pause(self, arm: Arm) -> None:
        """See `bench.run.process.ChildProcess.pause`."""
        try:
            self._processes[arm].pause()
        except ArmError:
            self._bury(arm)
            raise

    def call_all(self, arms: Sequence[Arm], request: ArmRequest[A]) -> list[A | ArmError]:
        """As many at a time as there are CPUs."""
        return self._ask(arms, [told_where(request, self._shared)] * len(arms))

    def _ask(
        self, members: Sequence[Member], requests: Sequence[Request[A]], *, alone: bool = False
    ) -> list[A | ArmError]:
        order = asking_order(members)
        asked = [(self._processes[members[place]], requests[place]) for place in order]
        told = dict(zip(order, ask_all(asked, self._timeout, 1 if alone else self._at_once), strict=True))
        outcomes = [told[place] for place in range(len(members))]
        for member, outcome in zip(members, outcomes, strict=True):
            if isinstance(outcome, ArmError):
                self._bury(member)
        return outcomes

    def compile(self, case: Case, arms: Sequence[Arm]) -> dict[Arm, Prepared]:
        """Ask the compilers that there are; one that finds the code in its cache has nothing to do from here on."""
        compilers = sorted(
            {Compiler.of(arm) for arm in arms} & self.compilers,
            key=lambda each: (each.backend, each.variant.name),
        )
        self._start(compilers)
        compilers = [each for each in compilers if each in self._processes]
        took = {}
        request = told_where(Prepare(case), self._shared)
        outcomes = self._ask(compilers, [request] * len(compilers), alone=case.device != "cpu")
        for compiler, outcome in zip(compilers, outcomes, strict=True):
            if isinstance(outcome, ArmError):
                continue
            if outcome.compile_report.get("cache_hit") == 1:
                self._bury(compiler)
            elif outcome.has_compiled:
                took[compiler] = outcome
        if compilers:
            self._rest()
        spared = {arm: took[Compiler.of(arm)] for arm in arms if Compiler.of(arm) in took}
        self._ahead = (self._ahead - set(arms)) | spared.keys()
        return spared

    def _rest(self) -> None:
        """Compilers keep nothing while arms are measured, and one that has ended is none."""
        for request in (Release(), Trim()):
            there = [each for each in self.compilers if each in self._processes]
            self._ask(there, [request] * len(there))
        self.compilers = {each for each in self.compilers if each in self._processes}

    def renew(self, arms: Sequence[Arm], compiled: Collection[Arm]) -> list[Arm]:
        """The processes that compiled go on as compilers.

        A backend that had to compile what was compiled ahead of it keeps nothing; it is left alone from then on.
        """
        self._leave_alone({arm.backend for arm in compiled if arm in self._ahead})
        backends = {arm.backend for arm in compiled} - self.uncached
        anew = [arm for arm in arms if arm.backend in backends]
        for arm in sorted(anew, key=lambda arm: arm not in compiled):
            compiler = Compiler.of(arm)
            if compiler in self._processes:
                self._bury(arm)
            else:
                self._processes[compiler], self._loaded[compiler] = (
                    self._processes.pop(arm),
                    self._loaded[arm],
                )
            self.compilers.add(compiler)
        self._ahead.update(anew)
        if anew:
            self._rest()
        return anew

    def _leave_alone(self, backends: Collection[str]) -> None:
        self.uncached.update(backends)
        for compiler in [each for each in self.compilers if each.backend in backends]:
            self.compilers.remove(compiler)
            if compiler in self._processes:
                self._bury(compiler)

    def _bury(self, member: Member) -> None:
        """A process that raised may be in any state: it is ended, and its place is free."""
        self._processes.pop(member).close()

    def pid(self, member: Member) -> int:
        """The process id that the arm works in."""
        return self._processes[member].pid

    def trim(self) -> None:
        """Have all arms let go of what they keep for the next case."""
        self._shared.close()
        members = list(self._processes)
        self._ask(members, [Trim()] * len(members))

    def close(self) -> None:
        """End all processes."""
        self._shared.close()
        for member in list(self._processes):
            self._bury(member)
