"""What other activations would bring to a recorded program: its calls times what the runs say of each."""

from __future__ import annotations

import importlib.util
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from bench.stats.estimates import Interval
from kernels.api import MAIN_OPS, Case
from kernels.recorder.cases_file import Recording
from scripts._recommend.answer import answer
from scripts._recommend.ranking import Answer, Missing, arm_of
from scripts._recommend.runs import Evidence
from scripts._shared.steps import saved_by_swapping, step_time

__all__ = ["OURS", "Part", "Program", "Saving", "program_answer", "smallest_swapped"]

OURS = "numba_tuned"
"""The one backend besides torch's own that a PyTorch program can have without converting a tensor."""
_MOST_OF_IT = 0.9


@dataclass(frozen=True, slots=True)
class Saving:
    """Seconds that an arm saves in each step, and the layers that make most of it."""

    arm: str
    seconds: Interval
    layers: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Part:
    """One case of the program: its calls in a step, and what the runs say of it."""

    case: Case
    calls: float
    where: tuple[str, ...]
    found: Answer | Missing


@dataclass(frozen=True, slots=True)
class Program:
    """The answer: the step (None: not timed), what activations take of it, and the best way to less (None: none)."""

    recording: Recording
    parts: tuple[Part, ...]
    step: Interval | None
    spent_s: float
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
    def share(self) -> Interval | None:
        """What is saved, as a share of a step; None where one of the two is not known."""
        if self.step is None or self.saving is None:
            return None
        return _over(self.saving.seconds, self.step)


def program_answer(evidence: Evidence, recording: Recording, now: str | None, small: int) -> Program:
    """What to do about the activations of `recording`; `small`: elements below which training keeps torch's own."""
    parts = tuple(_parts(evidence, recording, now))
    known = [part for part in parts if isinstance(part.found, Answer)]
    spent = sum(
        part.calls * float(part.found.now["time_s"]) for part in known if isinstance(part.found, Answer)
    )
    trains = any(part.case.direction == "backward" for part in parts)
    savings = [_saving(arm, known, small if trains else 0) for arm in _arms(known)]
    best = max(savings, key=lambda saving: saving.seconds.value, default=None)
    return Program(
        recording,
        parts,
        step_time(recording.steps.seconds),
        spent,
        best,
        saved_by_swapping(recording.steps.seconds, recording.steps.ours),
    )


def _parts(evidence: Evidence, recording: Recording, now: str | None) -> Iterable[Part]:
    calls: dict[Case, float] = {}
    where: dict[Case, dict[str, None]] = {}
    for used in recording.used:
        calls[used.case] = calls.get(used.case, 0.0) + used.calls
        where.setdefault(used.case, {}).update(dict.fromkeys(used.where))
    for case, many in calls.items():
        found = answer(evidence, case, now)
        if isinstance(found, Answer) and found.basis != "measured":
            found = Missing(case.placement, "not measured at this size")
        yield Part(case, many, tuple(where[case]), found)


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


def _saving(arm: str, parts: Sequence[Part], small: int) -> Saving:
    value, below, above = 0.0, 0.0, 0.0
    layers: dict[str, float] = {}
    for part in parts:
        saved = _saved(arm, part, small)
        value += saved.value
        below += (saved.value - saved.lo) ** 2
        above += (saved.hi - saved.value) ** 2
        for name in part.where:
            layers[name] = layers.get(name, 0.0) + saved.value / len(part.where)
    return Saving(arm, Interval(value, value - math.sqrt(below), value + math.sqrt(above)), _most(layers))


def _saved(arm: str, part: Part, small: int) -> Interval:
    """Seconds of a step; the cases' errors are independent, each having been an experiment of its own."""
    nothing = Interval(0.0, 0.0, 0.0)
    ours = arm.startswith(OURS)
    if not isinstance(part.found, Answer) or (ours and (part.case.n < small or part.case.op not in MAIN_OPS)):
        return nothing  # replace_activations leaves small tensors and other ops to torch
    ratio = part.found.ratios.get(arm)
    if ratio is None:
        return nothing
    spent = part.calls * float(part.found.now["time_s"])
    return Interval(*(spent * (1.0 - 1.0 / times) for times in (ratio.value, ratio.lo, ratio.hi)))


def _most(layers: Mapping[str, float]) -> tuple[str, ...]:
    """The fewest layers that make nine tenths of what is gained, the largest first."""
    gains = sorted(((gain, name) for name, gain in layers.items() if gain > 0), reverse=True)
    total, chosen, so_far = sum(gain for gain, _ in gains), [], 0.0
    for gain, name in gains:
        if so_far >= _MOST_OF_IT * total:
            break
        chosen.append(name)
        so_far += gain
    return tuple(chosen)


def _over(seconds: Interval, step: Interval) -> Interval:
    """A ratio of two independent estimates; the errors of the step count as fractions."""
    value = seconds.value / step.value
    error = abs(value) * step.half_width
    lo = math.hypot((seconds.value - seconds.lo) / step.value, error)
    hi = math.hypot((seconds.hi - seconds.value) / step.value, error)
    return Interval(value, value - lo, value + hi)
