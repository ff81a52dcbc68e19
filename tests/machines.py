"""For tests of the course of a whole run: a machine on which everything takes as long as told."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from bench.messages import (
    ArmRequest,
    Finish,
    Finished,
    Prepare,
    Prepared,
    Probe,
    Raced,
    Sample,
    TimeBatch,
)
from bench.plan.experiments import Arm, Experiment, case_label
from bench.plan.options import parse
from bench.plan.settings import Settings
from bench.plan.time_plan import TimePlan, time_plan
from bench.run.arm_state import ArmState
from bench.run.evidence import Evidence
from bench.run.progress import Silent
from bench.run.sitting import Ended, Sitting
from bench.run.time_account import TimeAccount
from kernels.api import Case
from tests.scripted import PER_CALL_S, FakePool, FakeSurroundings, seconds_of

__all__ = ["ARMS", "FACTORS", "Course", "Machine"]

ARMS = (
    Arm("base", "baseline"),
    Arm("quick"),
    Arm("near"),
    Arm("far"),
    Arm("base", "twin"),
    Arm("copy_plain", "ceiling"),
    Arm("empty_call", "floor"),
    Arm("copy_streaming", "ceiling"),
)
FACTORS = {
    "base": 3.0,
    "quick": 1.0,
    "near": 1.01,
    "far": 2.0,
    "copy_streaming": 1.5,
    "copy_plain": 1.0,
    "empty_call": 0.1,
}
"""How long the calls of each arm take, in those of the fastest; of others, as long as those."""


@dataclass(frozen=True, slots=True)
class Course:
    """What takes how long besides batches, in seconds, and when the machine is slow."""

    start_s: float = 0.0
    """Starting all processes."""
    prepare_s: float = 0.0
    """Preparing an arm of a small case; looking at it in the end takes half of that."""
    per_byte_s: float = 0.0
    """What each byte of a case adds to that, and a twentieth of it to a call."""
    looks: Mapping[str, tuple[float, float]] = field(default_factory=dict)
    """By the label of a case what preparing an arm takes instead, and looking at each of its batches."""
    compile_s: float = 0.0
    """Compiling a case in the first process; the very first one takes four times as long."""
    compiles: Mapping[Case, float] = field(default_factory=dict)
    """What that takes besides, by case."""
    slow: float = 1.0
    """How many times as long everything takes"""
    since_s: float = 0.0
    """from so many seconds after the beginning on"""
    until_s: float = math.inf
    """to so many."""


class _Pool(FakePool):
    """Whose compilers take their time."""

    machine: Machine
    process = 1

    def compile(self, case: Case, arms: Sequence[Arm]) -> dict[Arm, Prepared]:
        if any(arm.role != "floor" for arm in arms):
            self.machine.compiles(self.process, case)
        return {}

    def call(self, arm: Arm, request: ArmRequest[Any]) -> Any:
        answer = super().call(arm, request)
        if isinstance(request, Raced):
            self.machine.told.append((self.process, arm.label, request.way))
        if isinstance(answer, Prepared) and arm.role == "ceiling":
            answer = replace(answer, way="parallel")
        if isinstance(answer, Prepared | Finished):
            return replace(answer, compile_report=self.machine.reports.get(arm.backend, {}))
        return answer


class _Asks(Silent):
    """Asks for the time left at the beginning of each visit."""

    def __init__(self, machine: Machine) -> None:
        self._machine = machine

    def visit(self, experiment: Experiment, process: int) -> None:
        self._machine.visited.append(experiment)
        self._machine.asks()


class Machine:
    """Pools of arms whose calls take as long as told, with noise; it remembers who was measured in which process."""

    def __init__(
        self,
        noise: float,
        between: float = 0.0,
        *,
        slow: float = 1.0,
        waits: float = 0.0,
        course: Course = Course(),  # it cannot change
        seed: int = 1,
    ) -> None:
        self.around = FakeSurroundings()
        self.pools: list[tuple[int, FakePool]] = []
        self.ended: dict[Case, Sequence[ArmState]] = {}
        self.evidence: dict[Case, Evidence] = {}
        self.blocks: list[Sequence[Ended]] = []
        self.estimates: list[tuple[float, float]] = []
        """Of each visit, the time at its beginning then and the seconds that were said to be left."""
        self.visited: list[Experiment] = []
        """And of which experiment it was."""
        self.leasts: list[float] = []
        """And the seconds that were left in any case."""
        self.reports: dict[str, dict[str, int]] = {}
        """What compilers say of each case, by backend."""
        self.told: list[tuple[int, str, str]] = []
        """Which copies were told in which process to go which way."""
        self.sitting: Sitting | None = None
        self._rng, self._noise, self._between = np.random.default_rng(seed), noise, between
        self._slow, self._waits, self._course = slow, waits, course
        self._began, self._compiled = self.around.now, False

    def _slowness(self) -> float:
        course, now = self._course, self.around.now - self._began
        return course.slow if course.since_s <= now < course.until_s else 1.0

    def passes(self, seconds: float) -> None:
        """So long does something take when the machine is not slow."""
        self.around.now += seconds * self._slowness()

    def compiles(self, process: int, case: Case) -> None:
        """A compiler works, in processes of that number."""
        if process == 1:
            self.passes(self._course.compile_s * (1.0 if self._compiled else 4.0))
            self.passes(self._course.compiles.get(case, 0.0))
            self._compiled = True

    def start(self, settings: Settings, process: int) -> FakePool:
        shifts: dict[Arm, float] = {}
        self.passes(self._course.start_s)
        cases: dict[Arm, Case] = {}

        def takes(arm: Arm, request: ArmRequest[Any]) -> float:
            if isinstance(request, Prepare):
                cases[arm] = request.case
            if isinstance(request, Probe):
                pool.probe_s = self._slow * self._call_s(cases[arm].bytes_moved)
            return self._takes(request, cases.get(arm, Case("relu"))) * self._slowness()

        def change(_number: int, sample: Sample) -> Sample:
            arm = pool.asked
            shift = shifts.setdefault(arm, float(np.exp(self._between * self._rng.standard_normal())))
            noise = float(np.exp(self._noise * self._rng.standard_normal()))
            sample = replace(sample, usage=replace(sample.usage, waited_s=self._waits * sample.usage.cpu_s))
            slow = self._slow * self._slowness() * self._call_s(cases[arm].bytes_moved) / PER_CALL_S
            return seconds_of(sample, slow * FACTORS.get(arm.backend, 1.0) * shift * noise)

        pool = _Pool(self.around, change, takes=takes)
        pool.machine, pool.process = self, process
        self.pools.append((process, pool))
        return pool

    def _takes(self, request: ArmRequest[Any], case: Case) -> float:
        course = self._course
        usual = (course.prepare_s + course.per_byte_s * case.bytes_moved, 0.0)
        prepare_s, look_s = course.looks.get(case_label(case), usual)
        return {Prepare: prepare_s, Finish: prepare_s / 2, TimeBatch: look_s}.get(type(request), 0.0)

    def _call_s(self, bytes_moved: int) -> float:
        return PER_CALL_S + self._course.per_byte_s * bytes_moved / 20

    def end(self, experiment: Experiment, states: Sequence[ArmState], evidence: Evidence) -> None:
        self.ended[experiment.case] = states
        self.evidence[experiment.case] = evidence

    def asks(self) -> None:
        """Note what is said to be left."""
        if self.sitting is not None:
            self.estimates.append((self.around.now, self.sitting.outlook.seconds_left()))
            self.leasts.append(self.sitting.outlook.least_left())

    def measured(
        self, words: Mapping[str, str], sizes: Sequence[int] = (64,), seconds: float = 60.0
    ) -> Sitting:
        """All of it: one experiment for each size."""
        settings = parse({"results": "nowhere", "processes": "2", **words})
        settings = replace(settings, profile=replace(settings.profile, batch_s=0.003, max_rounds=40))
        chosen = [Experiment(Case("relu", n=n), ARMS) for n in sizes]
        allowed = time_plan(settings, chosen)
        if settings.minutes is None:
            allowed = replace(allowed, seconds=seconds, start_up_s=self._course.start_s)
        return self.sits(settings, chosen, allowed)

    def sits(self, settings: Settings, chosen: Sequence[Experiment], allowed: TimePlan) -> Sitting:
        """Through all of these."""
        self.sitting = sitting = Sitting(
            settings,
            chosen,
            allowed,
            self.around,
            account=TimeAccount(),
            observer=_Asks(self),
            start=self.start,
        )
        for experiment in chosen:
            if experiment.case not in self.ended:
                sitting.measure(experiment, self.end, self.blocks.append)
        return sitting

    def rounds(self, process: int, n: int = 64) -> Counter[str]:
        """How many each arm had in that process."""
        states = self.ended[Case("relu", n=n)]
        return Counter(
            state.arm.label for state in states for each in state.batches if each.process == process
        )
