"""What an arm saves of a program's step, and how sure that is: what was measured, and what the program itself tells.

A call takes longer in a program than in a benchmark where other work has emptied the caches, or has just given memory
back to the system.  What torch's calls took in the program is known, what ours would take is not: of the difference
they may have all (it is a read of x, say) or nothing (it is fresh memory, of which ours keep some).  So what is saved
lies between what the runs say and that with the whole difference.

Of a call that writes fresh memory the difference is mostly what page faults take, and that changes with the state of
the machine's memory.  Both can be known: how many faults a call has in the program, and what one takes there
(`kernels.recorder.pages`).  Then what is saved is corrected by it: ours keep their memory, and fault as often as the
run counted.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from bench.stats.estimates import Interval
from kernels.api import MAIN_OPS, Case
from scripts._recommend.ranking import Answer, Missing, arm_of
from scripts._shared.ratios import Row

__all__ = ["OURS", "Part", "Saving", "saving"]

OURS = "numba_tuned"
"""The one backend besides torch's own that a PyTorch program can have without converting a tensor."""
_MOST_OF_IT = 0.9
_BITS = (2 + 1 / 32) / 3
"""Of the bytes that backward of the benchmark moves: in a program it reads bits, which forward has written, for x."""


@dataclass(frozen=True, slots=True)
class Part:
    """One case of the program: its calls in a step, and what the runs say of it."""

    case: Case
    calls: float
    where: tuple[str, ...]
    counted_s: float | None
    """Seconds that its calls took of a step while they were counted; None where that is not known."""
    found: Answer | Missing
    page_faults: float | None = None
    """Of its calls in a step, counted in the program; None where that is not known."""

    @property
    def spent_s(self) -> float:
        """Seconds that they take of a step by the runs; 0 where those say nothing."""
        return self.calls * float(self.found.now["time_s"]) if isinstance(self.found, Answer) else 0.0


@dataclass(frozen=True, slots=True)
class Saving:
    """Seconds that an arm saves in each step, and the layers that make most of it."""

    arm: str
    seconds: Interval
    layers: tuple[str, ...]


def saving(arm: str, parts: Sequence[Part], small: int, fault_s: float | None = None) -> Saving:
    """What `arm` saves; `small`: elements below which ours leave a call to torch.

    `fault_s`: seconds that a page fault takes in the program; None where that is not known.

    The cases' errors are independent, each having been an experiment of its own; how the program differs from a
    benchmark is the same for all.
    """
    value, moved, below, above, less, more = 0.0, 0.0, 0.0, 0.0, 0.0, 0.0
    layers: dict[str, float] = {}
    for part in parts:
        saved = _measured(arm, part, small)
        if saved is None:
            continue
        value += saved.value
        below += (saved.value - saved.lo) ** 2
        above += (saved.hi - saved.value) ** 2
        shift = 0.0 if part.counted_s is None else part.counted_s - part.spent_s
        dearer = _by_faults(arm, part, fault_s)
        moved += dearer
        less += min(shift, dearer, 0.0)
        more += max(shift, dearer, 0.0) + _by_bits(arm, part, saved)
        for name in part.where:
            layers[name] = layers.get(name, 0.0) + saved.value / len(part.where)
    bounds = value - math.sqrt(below) + less, value + math.sqrt(above) + more
    return Saving(arm, Interval(value + moved, *bounds), _most(layers))


def _measured(arm: str, part: Part, small: int) -> Interval | None:
    """Seconds of a step by the runs; None where the arm takes the place of no call."""
    ours = arm.startswith(OURS)
    if not isinstance(part.found, Answer) or (ours and (part.case.n < small or part.case.op not in MAIN_OPS)):
        return None  # replace_activations leaves small tensors and other ops to torch
    ratio = part.found.ratios.get(arm)
    if ratio is None:
        return None
    return Interval(*(part.spent_s * (1.0 - 1.0 / times) for times in (ratio.value, ratio.lo, ratio.hi)))


def _by_faults(arm: str, part: Part, fault_s: float | None) -> float:
    """Seconds of a step that fresh memory takes of torch's calls in the program beyond the run, less those of ours."""
    if fault_s is None or part.page_faults is None or not isinstance(part.found, Answer):
        return 0.0
    ours = next((row for row in part.found.arms if arm_of(row) == arm == OURS), None)
    now_s, ours_s = (None if row is None else _faulting_s(row) for row in (part.found.now, ours))
    if ours is None or now_s is None or ours_s is None:
        return 0.0
    theirs = part.page_faults * fault_s - part.calls * now_s
    return theirs - part.calls * (float(ours["page_faults"]) * fault_s - ours_s)


def _faulting_s(row: Row) -> float | None:
    """Seconds of a call in which a run had the kernel give memory: by the share of CPU time; None: not known."""
    cpu_s, system_s, faults, time_s = (
        _number(row, name) for name in ("cpu_s", "system_s", "page_faults", "time_s")
    )
    if not cpu_s or system_s is None or faults is None or time_s is None:
        return None
    return time_s * min(system_s / cpu_s, 1.0) if faults >= 1 else 0.0


def _number(row: Row, name: str) -> float | None:
    value = row.get(name)
    return None if value is None or value == "" or math.isnan(float(value)) else float(value)


def _by_bits(arm: str, part: Part, saved: Interval) -> float:
    """What ours may save besides in backward, where they read bits."""
    reads_bits = arm.startswith(OURS) and part.case.direction == "backward"
    return (part.spent_s - saved.value) * (1 - _BITS) if reads_bits else 0.0


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
