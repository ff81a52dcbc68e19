"""What other activations would bring to a recorded program: its calls times what the runs say of each."""

from __future__ import annotations

import importlib.util
import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from bench.stats.estimates import Interval
from kernels.api import Case
from kernels.recorder.cases_file import Recording
from scripts._recommend.answer import answer
from scripts._recommend.ranking import Answer, Missing, arm_of
from scripts._recommend.runs import Evidence
from scripts._recommend.saving import OURS, Part, Saving, saving
from scripts._shared.steps import saved_by_swapping, step_time

__all__ = ["Program", "program_answer", "smallest_swapped"]


@dataclass(frozen=True, slots=True)
class Program:
    """The answer: the step (None: not timed), what activations take of it, and the best way to less (None: none)."""

    recording: Recording
    parts: tuple[Part, ...]
    step: Interval | None
    spent_s: float
    counted_s: float | None
    """The same as the program itself took for it while its calls were counted; None where that is not known."""
    saving: Saving | None
    swapped: Interval | None
    """The share of a step that really went away, where the program was recorded with --swap."""

    @property
    def known(self) -> list[Answer]:
        """The answers that there are."""
        return [part.found for part in self.parts if isinstance(part.found, Answer)]

    @property
    def doubts(self) -> list[str]:
        """Why there is no answer: what kept the run from seeing what matters, each reason once."""
        return list(dict.fromkeys(each.distrust.reason for each in self.known if each.distrust is not None))

    @property
    def held(self) -> bool | None:
        """Whether what swapping saved lies in the interval that was predicted; None where one is not known."""
        share, swapped = self.share, self.swapped
        if self.doubts or share is None or swapped is None or self.saving is None or self.saving.arm != OURS:
            return None
        return share.lo <= swapped.value <= share.hi

    @property
    def share(self) -> Interval | None:
        """What is saved, as a share of a step; None where one of the two is not known."""
        if self.step is None or self.saving is None:
            return None
        return _over(self.saving.seconds, self.step)


def program_answer(evidence: Evidence, recording: Recording, now: str | None, small: int) -> Program:
    """What to do about the activations of `recording`; `small`: elements below which training keeps torch's own."""
    parts = tuple(_parts(evidence, recording, now))
    known = [part for part in parts if isinstance(part.found, Answer)]
    trains = any(part.case.direction == "backward" for part in parts)
    fault_s = recording.steps.fault_s
    savings = [saving(arm, known, small if trains else 0, fault_s) for arm in _arms(known)]
    best = max(savings, key=lambda each: each.seconds.value, default=None)
    return Program(
        recording,
        parts,
        step_time(recording.steps.seconds),
        sum(part.spent_s for part in known),
        _counted(known),
        best,
        saved_by_swapping(recording.steps.seconds, recording.steps.ours),
    )


def _parts(evidence: Evidence, recording: Recording, now: str | None) -> Iterable[Part]:
    calls: dict[Case, float] = {}
    where: dict[Case, dict[str, None]] = {}
    counted: dict[Case, float | None] = {}
    faults: dict[Case, float | None] = {}
    for used in recording.used:
        calls[used.case] = calls.get(used.case, 0.0) + used.calls
        where.setdefault(used.case, {}).update(dict.fromkeys(used.where))
        counted[used.case] = _with(counted.get(used.case, 0.0), used.calls, used.seconds)
        faults[used.case] = _with(faults.get(used.case, 0.0), used.calls, used.page_faults)
    for case, many in calls.items():
        found = answer(evidence, case, now)
        if isinstance(found, Answer) and found.basis != "measured":
            found = Missing(case.placement, "not measured at this size")
        yield Part(case, many, tuple(where[case]), counted[case], found, faults[case])


def _with(before: float | None, calls: float, each: float | None) -> float | None:
    """A sum with so many calls more; None where something of it is not known."""
    return None if before is None or each is None else before + calls * each


def _counted(parts: Sequence[Part]) -> float | None:
    known = [part.counted_s for part in parts if part.counted_s is not None]
    return sum(known) if len(known) == len(parts) > 0 else None


def smallest_swapped() -> int:
    """Elements below which replaced activations leave a training step to torch; 0 where torch is not installed."""
    if importlib.util.find_spec("torch") is None:
        return 0
    from kernels.torch_module import SMALL  # noqa: PLC0415  # brings torch

    return SMALL


def _arms(parts: Sequence[Part]) -> list[str]:
    """What can be used inside a PyTorch program in place of what is used now."""
    found: dict[str, None] = {}
    for part in parts:
        if isinstance(part.found, Answer):
            for row in part.found.arms:
                name = arm_of(row)
                same = row["backend"] == part.found.now["backend"] and name != arm_of(part.found.now)
                if same or row["backend"] == OURS:
                    found[name] = None
    return list(found)


def _over(seconds: Interval, step: Interval) -> Interval:
    """A ratio of two independent estimates; the errors of the step count as fractions."""
    value = seconds.value / step.value
    error = abs(value) * step.half_width
    lo = math.hypot((seconds.value - seconds.lo) / step.value, error)
    hi = math.hypot((seconds.hi - seconds.value) / step.value, error)
    return Interval(value, value - lo, value + hi)
