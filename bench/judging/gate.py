"""The gate: an arm's results are checked before timing and again after it.

One sequence serves every kind of case.  Before the first timed round the case's own callable runs on trial inputs,
and all that it returns is judged.  After the last round three things are judged: the timed output itself, one more
call with inputs that no call could foresee, and whether results that live at the same time share memory.  Each
kind of case says what the trials are and what is right: `bench.judging.activation`, `bench.judging.network`.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, ClassVar, Generic, TypeVar

from bench.arrays.call_ring import Slot, Slots
from bench.judging.changing_inputs import ChangingInputs
from bench.judging.diagnosis import host_view, overlap
from bench.judging.plants import Expected, output_of, share_memory
from bench.machine.clocks import clock
from kernels.correctness import policy
from kernels.numbers import host_arrays

__all__ = ["Gate", "GateReport"]


@dataclass(frozen=True, slots=True)
class GateReport:
    """What the gate saw: `problem` is None if the arm may pass."""

    problem: str | None
    max_ulp: float | None = None
    special_values: str = ""


SlotsT_co = TypeVar("SlotsT_co", bound=Slots, covariant=True)
PlantsT_co = TypeVar("PlantsT_co", bound=ChangingInputs, covariant=True)


class Gate(ABC, Generic[SlotsT_co, PlantsT_co]):
    """Judges the calls of `slots`, whose inputs `plants` changes; a control arm by what is `expected` of it."""

    operands: ClassVar[tuple[str, str]] = ("x", "dy")
    """What the two inputs are called in a reason."""

    def __init__(self, slots: SlotsT_co, plants: PlantsT_co, expected: Expected | None = None) -> None:
        self.slots, self.plants, self.expected = slots, plants, expected
        self.backend, self.inputs = slots.backend, slots.inputs
        self.is_control = expected is not None
        self.second_call_s: float | None = None
        """Seconds of the first call after the one that `compile` makes, synchronised."""

    # What each kind of case says.

    @abstractmethod
    def trials(self) -> Iterable[AbstractContextManager[None]]:
        """One after the other puts other inputs into the first slot; after the last one, it is pristine again."""

    @abstractmethod
    def judge(self, output: Any) -> GateReport:
        """Whether `output` is right, as a whole, for the inputs as they are now."""

    @abstractmethod
    def most_live(self, slot: Slot) -> int:
        """How many results are kept at once to see whether they share memory; 0 where they may."""

    def call(self, slot: Slot) -> Any:
        """The result of the call that `judge` judges, synchronised."""
        start = clock()
        result = slot.call()
        self.backend.sync(result)
        self.second_call_s = self.second_call_s or clock() - start
        return result

    def judge_trial(self, slot: Slot, result: Any) -> tuple[GateReport, str | None]:
        """What `judge` says of a result, and whether the call wrote into its inputs."""
        report = self.judge(self.look(result))
        return report, self.touched(slot)

    def judge_timed(self, output: Any) -> GateReport:
        """As `judge`, for what the last batch has left."""
        return self.judge(output)

    def beside(self, slot: Slot) -> str | None:
        """What is wrong with what the last call gave besides its result, for the inputs as they are now."""
        return None

    def explained(self, result: Any, problem: str) -> str:
        """`problem` of a trial's result, led by the trick that explains it, if one does."""
        return problem

    def merged(self, reports: list[GateReport]) -> GateReport:
        """One report of all trials; only the last can have a problem."""
        return reports[-1]

    # The sequence.

    def before(self) -> GateReport:
        """Judge the callable; the first slot ends up pristine unless it is wrong."""
        reports = []
        for trial in self.trials():
            with trial:
                reports.append(self._tried(self.slots.ring[0]))
            if reports[-1].problem:
                break
        return self.merged(reports)

    def after(self, last: tuple[Slot, Any]) -> GateReport:
        """Judge the timed output, then call again with what an arm may be watching for left out."""
        slot, result = last
        with self._planted():
            report = self.judge_timed(self._output(slot, result))
            report = replace(report, problem=report.problem or self.beside(slot))
            touched = self.touched(slot)
        if report.problem:
            return GateReport(f"the timed output is wrong: {report.problem}", report.max_ulp)
        if touched or self.slots.case.n == 0 or self.is_control:
            return GateReport(touched)
        problem, another = self._unforeseen(slot, result)
        if problem:
            return GateReport(f"passed the gate, but not a call that looked like a timed one: {problem}")
        return GateReport(self._shared(slot, [result, another]))

    def _tried(self, slot: Slot) -> GateReport:
        result = self.call(slot)
        report, touched = self.judge_trial(slot, result)
        problem = self.slots.why_copies or touched or self._misplaced(slot, result)
        if problem is None and report.problem is not None:
            problem = self.explained(result, report.problem)
        return replace(report, problem=problem or self.beside(slot))

    def _unforeseen(self, slot: Slot, earlier: Any) -> tuple[str | None, Any]:
        """One more call: with special values anywhere, the ends left alone, and nothing left of earlier results.

        What is wrong with its result, and the result.  What the call was given is overwritten after `sync`, when the
        result has to be there, and before the result is looked at.
        """
        self.plants.surprise()
        self.slots.renew(slot, self.plants.put)
        self._spoil(slot, earlier)
        result = self.call(slot)
        if slot.aliased:
            self.plants.scramble(slot)
        look = partial(self._output, slot, result)
        problem = self.plants.problem(look, self.slots.peek(slot, result))
        if problem is None:
            with self._planted():
                problem = self.judge(look()).problem or self.beside(slot)
        return problem, result

    def _spoil(self, slot: Slot, earlier: Any) -> None:
        """Leave the poison where results lie, on the host or elsewhere."""
        if self.slots.case.placement == "inplace":  # there the input lies
            return
        if slot.in_step and slot.out is not None:
            host_arrays.poison(slot.out)
            self.slots.hand_over(slot)
        elif self.slots.case.device != "cpu":
            self.slots.spoil(earlier, self.plants.index)
        else:
            place = self._output(slot, earlier)
            if place.flags.writeable:
                host_arrays.poison(place)

    def _shared(self, slot: Slot, live: list[Any]) -> str | None:
        """Whether results that live at the same time, those and more, share memory."""
        most = self.most_live(slot)
        if most == 0:
            return None
        while len(live) <= most:
            live.append(slot.call())
            self.backend.sync(live[-1])
        if not overlap([self.look(each) for each in live]):
            return None
        return f"returns an earlier result's memory again: of {len(live)} results alive, some share memory"

    # What it looks at.

    def look(self, result: Any) -> Any:
        """The result on the host, as far as it is there."""
        return host_view(self.backend.to_numpy(result))

    def _output(self, slot: Slot, result: Any) -> Any:
        return output_of(self.backend, self.slots.case, slot, result)

    def touched(self, slot: Slot) -> str | None:
        """Whether an input that calls only read is not what it was."""
        overwritten = slot.overwritten(self.slots.case)
        pairs = zip((self.inputs.x, self.inputs.dy), (slot.x, slot.dy), strict=True)
        for number, (before, after) in enumerate(pairs):
            if before is None or after is None or after is overwritten:
                continue
            # in step, what a call can write to is the copy
            seen = self.look(slot.handles[number]) if slot.in_step else after
            changed = policy.unchanged(before, seen)
            if changed:
                return f"writes into its input {self.operands[number]}: {changed}"
        return None

    def _misplaced(self, slot: Slot, result: Any) -> str | None:
        """Whether the result stands where the placement says; only seen where handles alias the host."""
        case = self.slots.case
        if not slot.aliased or case.n == 0:
            return None
        overwritten = slot.overwritten(case)
        if overwritten is not None:
            if share_memory(self.backend, result, overwritten):
                return None
            return f"allocates its result although placement is {case.placement!r}"
        if any(share_memory(self.backend, result, each) for each in (slot.x, slot.dy) if each is not None):
            return "returns memory of its input although placement is 'new'"
        return None

    @contextmanager
    def _planted(self) -> Iterator[None]:
        """The pristine inputs with the plants in them, for the time of a comparison."""
        index, kept = self.plants.index, []
        try:
            for array, values in ((self.inputs.x, self.plants.x), (self.inputs.dy, self.plants.dy)):
                if array is not None and values is not None:
                    kept.append((array, array[index]))
                    array[index] = values
            yield
        finally:
            for array, values in kept:
                array[index] = values
