"""How fast the bytes of a case can be moved at all: what beats it by far has not moved them.

The control arms copy the same bytes in the same experiment, and nobody honest is faster by more than noise.  An arm
has to pass them twice to be accused: at the slow end of its interval, round by round beside the fastest copy, since
a spell may slow all the rounds that copies have; and beside the fastest round of any copy, since a copy may be slowed
in most of its rounds.  Where their rounds do not agree, others had the memory meanwhile, and the fastest copy of the
run so far whose rounds do bounds the case, of the same kind and of no more bytes: per byte, fewer are never slower.
What a copy's threads waited for a CPU in all of its rounds is taken off: a copy in several threads may wait for a tick
of the scheduler in each call, which is no limit of memory.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from typing import NamedTuple, TypeVar

import numpy as np

from kernels.api import Case

__all__ = [
    "ABOVE",
    "Copies",
    "CopyBatch",
    "Limit",
    "calm_seconds",
    "in_most_processes",
    "share_of_copy",
]

_WAIT = 0.05
"""The share of a batch that its threads may wait for a CPU while it still counts as undisturbed."""
_STEADY = 1.25
"""Copies agree if the lower quartile of their rounds is at most so many times the fastest one."""
_FEWEST = 3
"""Rounds that a copy needs: with fewer nothing tells whether it was disturbed."""
_DISTURBED = 4.0
"""By so much copies may have been slowed by others, where nothing else bounds the case: two who share a memory bus
and a core each leave a quarter."""
ABOVE = 1.05
"""A cell may pass the copies beside it by this factor, beyond the noise: loops over the same bytes differ by a few per
cent in how they lie to the processor."""
_ABOVE_OTHERS = 1.3
"""And the copies of other experiments by this one: the machine may have been slower then.  In one process each, too,
since nobody knows how lucky the two are: processes of one code differ by 5 % and more where arrays lie in caches."""
_PROCESSES = 2
"""From so many on their differences are known."""
_CALLS = 2
"""By so many empty calls one backend's call may be shorter than a copy's, whatever is moved."""

Kind = tuple[object, ...]
_Copy = TypeVar("_Copy")


def share_of_copy(
    over_copy: float | None, device_s: float | None, copy_device_s: float | None
) -> float | None:
    """How near an arm comes to a copy, as a fraction of its speed: by the device's own clock where both have its times.

    `over_copy` is how often the arm takes the copy's time, round by round; launch and wait, which both have, are in it.
    """
    if device_s and copy_device_s:
        return copy_device_s / device_s
    return 1 / over_copy if over_copy else None


@dataclass(frozen=True, slots=True)
class Limit:
    """Seconds that the bytes of a case take at least; None where nothing bounds them, and `unchecked` says why."""

    seconds: float | None
    unchecked: str = ""

    def beaten(self, longest_s: float, floor_s: float, beside: float | None, processes: int) -> str | None:
        """Why a call that takes at most `longest_s` cannot have moved the bytes; None if it can.

        `floor_s` is what an empty call takes, and `beside` how often the call takes the time of the fastest copy at
        most, in the same rounds of so many `processes` of each; None without such a copy.
        """
        seconds = self.seconds
        above = _ABOVE_OTHERS if beside is None or processes < _PROCESSES else ABOVE
        if seconds is None or (beside is not None and beside * above >= 1.0):
            return None
        if longest_s * above + _CALLS * floor_s >= seconds:
            return None
        return (
            f"{seconds / longest_s:.2f} times as fast as the fastest copy of the same bytes "
            f"({longest_s:.3g} s against {seconds:.3g} s): it cannot have moved them"
        )


class CopyBatch(NamedTuple):
    """A batch of a copy; times are seconds per call."""

    part_s: float
    """A quarter of its parts took no longer: a limit is at the fast end."""
    whole_s: float
    waited_s: float
    """What its threads, together, were ready to run and had no CPU."""
    contended: bool

    @property
    def calm(self) -> bool:
        """Whether it had its CPUs, but for a moment."""
        return self.waited_s <= _WAIT * self.whole_s and not self.contended


def calm_seconds(batches: Sequence[CopyBatch]) -> list[float]:
    """What a copy takes by each of its undisturbed batches.

    Where there is none, the least that any took without its waits, which bounds little; empty where it only waited.
    """
    calm = [batch.part_s for batch in batches if batch.calm]
    if calm:
        return calm
    least = min(min(batch.part_s, batch.whole_s - batch.waited_s) for batch in batches)
    return [least] if least > 0.0 else []


class Copies:
    """The fastest copies of a run."""

    def __init__(self) -> None:
        self._best: dict[Kind, dict[int, float]] = {}
        """Seconds of the fastest copy of so many bytes, of those that nobody disturbed."""

    def limit(self, case: Case, copies: Sequence[Sequence[float]]) -> Limit:
        """What bounds a case, by the rounds of each of its copies (seconds per call) and by the cases before.

        Where they agree they are remembered, for the cases after it; a case may be judged several times.
        """
        rounds = [copy for copy in copies if len(copy)]
        before = self._bound(case)
        if rounds:
            fastest = min(map(min, rounds))
            if all(_agree(copy) for copy in rounds):
                best = self._best.setdefault(_kind(case), {})
                best[case.bytes_moved] = min(fastest, best.get(case.bytes_moved, fastest))
                return Limit(fastest)
            return Limit(fastest / _DISTURBED if before is None else min(fastest, before))
        if before is not None:
            return Limit(before)
        why = (
            "others had the CPUs whenever a copy was timed"
            if copies
            else "no copy of the same bytes was timed"
        )
        return Limit(None, f"{why}: whether the arm moved them is not checked")

    def _bound(self, case: Case) -> float | None:
        """By copies of no more bytes in the cases before."""
        moved = case.bytes_moved
        return min(
            (
                moved / size * seconds
                for size, seconds in self._best.get(_kind(case), {}).items()
                if 0 < size <= moved
            ),
            default=None,
        )


def in_most_processes(
    copies: Sequence[_Copy], rounds: Callable[[_Copy], Collection[tuple[int, int]]]
) -> list[_Copy]:
    """Those that were measured in as many processes as any of them, by their rounds' (process, number).

    The fastest one alone is measured in all processes of the arms (`bench.plan.experiments.Experiment.arms_in`).
    """
    counts = [len({process for process, _ in rounds(copy)}) for copy in copies]
    return [copy for copy, count in zip(copies, counts, strict=True) if count == max(counts)]


def _agree(rounds: Sequence[float]) -> bool:
    return len(rounds) >= _FEWEST and bool(np.quantile(rounds, 0.25) <= _STEADY * min(rounds))


def _kind(case: Case) -> Kind:
    """Cases whose copies are alike but for the number of bytes."""
    return case.device, case.direction, case.placement, case.layout, case.cache, case.threads
