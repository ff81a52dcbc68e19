"""The arms' processes, kept from one experiment to the next.

Importing a framework takes seconds; restarting every arm for every experiment would spend most
of a run on it.  A process is therefore kept while it lives, one for each arm and thread count (some
frameworks fix their thread pool once), and replaced after a crash or a timeout.
"""

from __future__ import annotations

import os
import warnings
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from bench.arm.server import Station
from bench.arm.worker import load_backend, reason_of
from bench.machine.environment import last_level_cache, usable_cpus
from bench.messages import Loaded
from bench.plan.experiments import Arm
from bench.run.process import ArmError, ArmProcess, Outcome, ask_all
from bench.run.usual_speed import Usual

__all__ = ["InlinePool", "Pool", "ProcessPool", "Request"]

SEED = 20260101


@dataclass(frozen=True, slots=True)
class Request:
    """A method of an arm's `Station`, to be called."""

    arm: Arm
    method: str
    arguments: tuple[Any, ...] = ()


class Pool(Protocol):
    """Where arms work; the same for processes and for inline mode."""

    usual: Usual
    """How fast the CPUs usually are, as all arms have seen it."""

    def open(self, arms: Sequence[Arm], threads: int) -> dict[Arm, Loaded | ArmError]:
        """Make sure that the arms are there and have imported their backends."""

    def call(self, request: Request) -> Any:
        """One answer.  Raises ArmError."""

    def call_all(self, requests: Sequence[Request]) -> list[Outcome]:
        """Many answers, some at a time; an ArmError stands for one that did not come."""

    def pid(self, arm: Arm) -> int:
        """The process id that the arm works in."""

    def trim(self) -> None:
        """Have all arms let go of what they keep for the next case."""

    def close(self) -> None:
        """End everything."""


class ProcessPool:
    """One process for each arm.

    `scouts` and `uncached` are what is known of the backends' compilers (see preparing.py): arms whose processes
    compile what others fetch, and backends for which that is of no use.
    """

    def __init__(self, plugins: Mapping[str, str], cell_timeout: float) -> None:
        self.usual = Usual()
        self.scouts: set[Arm] = set()
        self.uncached: set[str] = set()
        self._plugins = dict(plugins)
        self._timeout = cell_timeout
        self._at_once = usable_cpus()
        self._processes: dict[Arm, ArmProcess] = {}
        self._loaded: dict[Arm, Loaded | ArmError] = {}
        self._threads = 0
        self._chances: dict[Arm, int] = defaultdict(lambda: 2)

    def open(self, arms: Sequence[Arm], threads: int) -> dict[Arm, Loaded | ArmError]:
        """Start what is missing, all at once; an arm whose import raised is not tried again."""
        if threads != self._threads:
            self.close()
            self._threads = threads
        new = [arm for arm in arms if arm not in self._processes and not self._hopeless(arm)]
        for arm in new:
            self._processes[arm] = ArmProcess(dict(arm.variant.environ))
        opening = [
            Request(arm, "open", (arm.backend, self._plugins, SEED, last_level_cache())) for arm in new
        ]
        for arm, outcome in zip(new, self.call_all(opening), strict=True):
            self._loaded[arm] = outcome
        return {arm: self._loaded[arm] for arm in arms}

    def pass_on(self, arm: Arm, to: Arm) -> None:
        """The arm's process goes on as that of another, or ends where that one has a process; the arm has none."""
        if self.has(to):
            self._bury(arm)
        else:
            self._processes[to], self._loaded[to] = self._processes.pop(arm), self._loaded[arm]

    def has(self, arm: Arm) -> bool:
        """Whether the arm has a process."""
        return arm in self._processes

    def end(self, arm: Arm) -> None:
        """End the arm's process, if it has one."""
        if self.has(arm):
            self._bury(arm)

    def _hopeless(self, arm: Arm) -> bool:
        """Whether its import has failed for good; one that took too long or died gets a second chance."""
        loaded = self._loaded.get(arm)
        if not isinstance(loaded, ArmError):
            return False
        self._chances[arm] -= 1
        return loaded.status not in ("timeout", "crashed") or self._chances[arm] <= 0

    def call(self, request: Request) -> Any:
        """Ask the arm's process; one that does not answer is ended and started anew when next needed."""
        process = self._processes[request.arm]
        process.ask(request.method, *request.arguments, seconds=self._timeout)
        try:
            return process.answer()
        except ArmError:
            self._bury(request.arm)
            raise

    def call_all(self, requests: Sequence[Request]) -> list[Outcome]:
        """As many at a time as there are CPUs."""
        asked = [(self._processes[request.arm], request.method, request.arguments) for request in requests]
        outcomes = ask_all(asked, self._timeout, self._at_once)
        for request, outcome in zip(requests, outcomes, strict=True):
            if isinstance(outcome, ArmError):
                self._bury(request.arm)
        return outcomes

    def _bury(self, arm: Arm) -> None:
        """A process that raised may be in any state: it is ended, and its place is free."""
        self._processes.pop(arm).close()

    def pid(self, arm: Arm) -> int:
        """The process id that the arm works in."""
        return self._processes[arm].pid

    def trim(self) -> None:
        """Have all arms let go of what they keep for the next case."""
        self.call_all([Request(arm, "trim") for arm in self._processes])

    def close(self) -> None:
        """End all processes."""
        for arm in list(self._processes):
            self._bury(arm)


class InlinePool:
    """All arms in this process: for debuggers and profilers, not for figures to quote."""

    def __init__(self, plugins: Mapping[str, str]) -> None:
        self.usual = Usual()
        self._plugins = dict(plugins)
        self._stations: dict[Arm, Station] = {}
        self._loaded: dict[Arm, Loaded | ArmError] = {}

    def open(self, arms: Sequence[Arm], threads: int) -> dict[Arm, Loaded | ArmError]:
        """Import the backends of the arms that are new."""
        for arm in arms:
            if arm not in self._loaded:
                self._stations[arm] = Station(
                    lambda name=arm.backend: load_backend(name, self._plugins),  # type: ignore[misc]  # mypy cannot infer a lambda's default
                    SEED,
                    last_level_cache(),
                )
                (self._loaded[arm],) = self.call_all([Request(arm, "load")])
        return {arm: self._loaded[arm] for arm in arms}

    def call(self, request: Request) -> Any:
        """Call the method; the debugger of ``--pdb`` sees what it raises through ArmError's cause."""
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("default")  # as in a process of its own; pytest may make errors of them
                return getattr(self._stations[request.arm], request.method)(*request.arguments)
        except (Exception, SystemExit) as error:  # whatever a backend raises becomes its own cell's reason
            raise ArmError(*reason_of(error)) from error

    def call_all(self, requests: Sequence[Request]) -> list[Outcome]:
        """One after the other."""
        outcomes: list[Outcome] = []
        for request in requests:
            try:
                outcomes.append(self.call(request))
            except ArmError as error:
                outcomes.append(error)
        return outcomes

    def pid(self, arm: Arm) -> int:
        """This process."""
        return os.getpid()

    def trim(self) -> None:
        """Have all arms let go of what they keep for the next case."""
        self.call_all([Request(arm, "trim") for arm in self._stations])

    def close(self) -> None:
        """Let go of all buffers."""
        self._stations.clear()
        self._loaded.clear()
