"""An arm at work: one backend in one process, measuring one case after another.

The coordinator says what to do and when.  Everything here runs in the arm's own process (or in the caller's, with
``--isolation inline``).  `ArmServer` does what `bench.messages.ArmCalls` asks for.
"""

from __future__ import annotations

import platform
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from bench.arm.call_loops import Calls, Racing
from bench.arm.device_clock import device_seconds, queued_seconds, settles, settles_again
from bench.arm.device_wait import Waiting
from bench.arm.looks import Looks
from bench.arm.ranges import ranges_on
from bench.arm.said import counts_of, reason_of, threads_of, versions_of
from bench.arm.workload import workload_of
from bench.arrays import other_memory
from bench.arrays.call_ring import Slot
from bench.arrays.gpu_ring import CardSlots
from bench.arrays.inputs import InputSource
from bench.arrays.shared_inputs import NOWHERE, Where
from bench.judging import tampering
from bench.judging.plants import Control, Expected
from bench.machine.clocks import clock, cpu_clock
from bench.machine.cpu_speed import SEEN_S, Pace
from bench.machine.own_usage import LONG_SPIN_S, Idle, Idling, at_rest, usage
from bench.messages import DeviceTimes, Finished, Loaded, Prepared, Sample
from bench.plan.experiments import case_label
from kernels.api import Backend, Case
from kernels.gpu.card import Card

__all__ = ["ArmServer"]

_SEEN_BYTES = 1 << 20
"""Of smaller arrays a call's peak would be lost in what the process does besides."""


class ArmServer:
    """One backend with the buffers of the case that it is at.

    `load` is called here and not before, so that the import is timed and happens under the
    arm's own environment variables.  A `control` is judged by what it says itself (`bench.judging.plants.Control`).
    A `plugin` is foreign code: what it claims has to be seen.
    """

    def __init__(
        self,
        load: Callable[[], Backend],
        seed: int,
        cache_bytes: int,
        *,
        control: bool = False,
        plugin: bool = True,
    ) -> None:
        self._load, self._is_control, self._is_plugin = load, control, plugin
        self._inputs = InputSource(seed)
        self._pace = Pace()
        self._cache_bytes = cache_bytes
        self._backend: Backend | None = None
        self._acting: Backend | None = None
        self._last: tuple[Slot, Any] | None = None
        self._card: Card | None = None
        self._idling: Idling | None = None
        self._in_turn = self._has_worked = self._comes_to_rest = False
        self._unsettled = 0

    @property
    def backend(self) -> Backend:
        """What runs the present case: the backend, imported on first use, or what stands for it there."""
        if self._backend is None:
            self._backend = self._load()
        return self._acting or self._backend

    @property
    def _expected(self) -> Expected | None:
        backend = self.backend
        return backend.expected if self._is_control and isinstance(backend, Control) else None

    def load(self) -> Loaded:
        """Import the backend; times the import."""
        self._watch, self._watch_all = tampering.Watch(), tampering.Watch(tampering.watched())
        start = clock()
        backend = self.backend
        import_s = clock() - start
        return Loaded(import_s, platform.python_version(), versions_of(backend.versions()))

    @property
    def _copy(self) -> Racing | None:
        """The backend, if it is a copy."""
        return self.backend if self._is_control and isinstance(self.backend, Racing) else None

    def raced(self, case: Case, way: str = "") -> bool:
        """Whether a copy knows its way for the case, so that others may work while it is prepared.

        It goes the `way` that won in another process, if one is given.
        """
        copy, case = self._copy, workload_of(case, self._expected).case
        if copy is not None and way:
            self.backend.set_threads(case.threads)  # which ways there are depends on them
            copy.go(case, way)
        return copy is not None and copy.raced(case)

    def prepare(self, case: Case, where: Where = NOWHERE, *, in_turn: bool = False) -> Prepared:
        """Build the inputs, or map them from `where` they are shared, compile, and pass the gate."""
        self.release()
        self._in_turn, self._has_worked, self._unsettled = in_turn, False, 0
        self._work = workload_of(case, self._expected)
        skip = self._work.why_not(self.backend)
        if skip is not None:
            return Prepared(skip=reason_of(skip))
        self._acting = self._work.backend(self.backend)
        self._ranges = ranges_on(case.device)
        self._range = f"{self.backend.name} {case_label(self._work.case)}"
        threads = threads_of(self.backend.set_threads(case.threads))
        self._gate = self._work.gate(self.backend, self._inputs, self._cache_bytes, where)
        self._slots, self._plants = self._gate.slots, self._gate.plants
        self._slots.trusted = self._is_control or not self._is_plugin
        report = self._gate.before()
        if report.problem is None:
            self._slots.grow()
            self._waiting = Waiting(self._slots, self.backend.sync)
            self._waiting.select()
            self._calls = Calls(self._slots, self._waiting.wait, self._plants.put)
            if self._copy is not None:
                self._copy.choose(self._slots, self._calls)
            self._looks = Looks(self._slots, self._plants, self._calls, control=self._is_control)
        self._work.rest()
        self._card = getattr(self._slots, "card", None)
        if self._card is not None:
            self._card.peak_bytes(reset=True)
            if report.problem is None:
                self._unsettled += not settles(self._calls.spin)
        self._let_go()
        prepared = Prepared(
            None,
            report,
            self._slots.first_call_s,
            self._gate.second_call_s,
            threads,
            self._compile_report(),
            "" if self._copy is None else self._copy.way(self._work.case),
        )
        if in_turn and report.problem is not None:
            self.release()
        return prepared

    def _compile_report(self) -> dict[str, int]:
        report = getattr(self.backend, "compile_report", None)
        return {} if report is None else counts_of(report())

    def probe(self, least_s: float, probes: int = 1) -> float:
        """Seconds per call, the fastest of so many probes of at least `least_s` each (or one call)."""
        self._take_up()
        seconds = self._pace.learn(lambda: self._calls.probe(max(least_s, SEEN_S / probes), probes))
        self._comes_to_rest = self._work.rest() or at_rest(LONG_SPIN_S)
        self._let_go()
        return seconds

    def batch(self, iterations: int, warm_s: float, turn: int = 0, *, pauses: bool = False) -> Sample:
        """See `bench.messages.ArmCalls.batch`.

        Who goes on working is not stopped but told of, as `bench.judging.claims` has it.
        """
        idle = (self._idling or Idling()).since()
        self._take_up()
        with self._ranges(self._range):
            sample = self._batch(iterations, warm_s, idle, turn)
        pauses = pauses and sample.in_threads and self._comes_to_rest
        if not pauses:
            self._rest()
        self._let_go()
        self._idling = Idling()
        return replace(sample, pauses=pauses)

    def _batch(self, iterations: int, warm_s: float, idle: Idle, turn: int = 0) -> Sample:
        now, looks = clock, self._looks
        self._pace.begin(turn)
        held: list[Any] = []
        warm_problem = self._warm_up(warm_s, held)
        began, before = now(), usage()
        audit = looks if looks.can_audit else None
        spans, taken = self._calls.run_parts(iterations, held, self._pace.look_within, audit, now)
        ended, slot = now(), looks.one_of(taken)
        looks.seal(slot)
        spent = usage().since(before)
        self._last = slot, held[0]
        problem = warm_problem or looks.audited or looks.problem(slot, held[0])
        if problem and not warm_problem and "writes nothing" in problem:
            problem = f"does nothing when the input has not changed: {problem}"
        problem = _tampered(self._watch.replaced()) or self._slots.why_copies or problem
        self._pace.look()
        return Sample(
            seconds=sum(seconds for _, seconds in spans) / iterations,
            parts=tuple(seconds / count for count, seconds in spans),
            iterations=iterations,
            began=began,
            ended=ended,
            idle_s=idle.s,
            idle_cpu_s=idle.cpu_s,
            usage=spent,
            cost=self._calls.cost,
            total_cpu_s=cpu_clock(),
            problem=problem,
            pace=self._pace.taken(),
            idle_others_s=idle.others_s,
            idle_faults=idle.page_faults,
            in_threads=self._pace.in_threads,
        )

    def _rest(self) -> None:
        """Leave the CPUs to other arms."""
        if self._pace.in_threads:
            self._work.rest()

    def _take_up(self) -> None:
        """Where memory is had in turn: have it again, and what is in it."""
        self._waiting.select()
        if self._in_turn:
            self._slots.take_up(self._plants.put)

    def _let_go(self) -> None:
        """Where memory is had in turn: the next arm's turn."""
        if self._in_turn and hasattr(self, "_looks"):
            self._has_worked, self._last = self._has_worked or self._last is not None, None
            self._looks.begin()
            self._slots.let_go()

    def _warm_up(self, warm_s: float, held: list[Any]) -> str | None:
        """Change the plants, call until caches and pools are warm, poison what the batch will write."""
        self._last = None
        slots, plants, looks = self._slots, self._plants, self._looks
        looks.begin()
        slots.move()
        plants.change()
        for slot in slots.ring:
            slots.put(slot, plants.put)
        looks.poison_targets()
        start = clock()
        slots.move_result(self._result)
        (slot,) = self._calls.run(1, held)[1]
        looks.seal(slot)
        problem = looks.problem(slot, held[0])
        while clock() - start < warm_s:
            self._calls.run(1, held)
        if self._card is not None:
            self._unsettled += not settles_again(lambda least_s: self._calls.spin(least_s, held))
        looks.poison_targets()
        if slots.case.placement == "new":
            looks.spoil(held[0])
            if looks.keeps_one:  # it has the place that the timed results were to lie in
                slots.move_result(self._result)
                self._calls.run(1, held)  # the first timed call, too, has a result to drop
        return problem

    def _result(self) -> Any:
        held: list[Any] = []
        self._calls.run(1, held)
        return held[0]

    def finish(self) -> Finished:
        """Judge the timed output, and try the tricks."""
        if self._in_turn and self._has_worked:
            self._take_up()
            again = self._batch(2, 0.0, Idle())  # what the last batch left is gone
            if again.problem is not None:
                return Finished(again.problem, self._compile_report())
        if self._last is None:
            return Finished(None, self._compile_report())
        report = self._gate.after(self._last)
        tampered = _tampered(self._watch_all.replaced())
        peak = None if self._card is None else self._card.peak_bytes()
        problem = tampered or report.problem or self._looks.last() or self._waiting.why_early()
        report_now = self._compile_report()
        finished = Finished(problem, report_now, peak, self._peak_bytes(), self._unsettled)
        self._rest()
        self._let_go()
        return finished

    def _peak_bytes(self) -> int | None:
        """What a call needs beyond its arrays; None where a process's memory does not show it."""
        small = self._slots.case.bytes_moved < _SEEN_BYTES
        return None if small or self._card is not None else self._calls.peak_bytes()

    def dispatch(self) -> float | None:
        """Median seconds from a call to its return, before `sync`; None where a call consumes its input."""
        if self._slots.case.placement == "inplace":
            return None
        self._take_up()
        held = [self._last[1]] if self._last is not None else []
        self._last = None
        dispatch_s = self._calls.dispatch(held)
        self._rest()
        self._let_go()
        return dispatch_s

    def device_time(self) -> DeviceTimes:
        """What calls take on a device beside the time that is measured."""
        slots, sync = self._slots, self._waiting.wait
        if not isinstance(slots, CardSlots):
            return DeviceTimes()
        self._take_up()
        times = DeviceTimes(device_seconds(slots, sync), queued_seconds(slots, sync))
        self._let_go()
        return times

    def trim(self) -> None:
        """Keep nothing for the next case: somebody needs the memory."""
        self._inputs.forget()
        other_memory.let_go()

    def release(self) -> None:
        """Let go of the case's buffers."""
        self._last = self._idling = self._acting = None
        self._in_turn = False
        for name in ("_gate", "_slots", "_plants", "_waiting", "_calls", "_looks"):
            self.__dict__.pop(name, None)
        if self._card is not None:
            self._card.trim()
            self._card = None
        self._inputs.trim()


def _tampered(part: str | None) -> str | None:
    return f"replaces {part}, a part of what times and judges it" if part else None
