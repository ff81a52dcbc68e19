"""Whether a run is worth an answer: not if the machine was busy, or if it could not have seen what matters."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass

from bench.stats.trust import LARGEST_FLOOR, MOST_DISTURBED, is_clear
from bench.text.units import number_text, percent_text
from scripts._shared.ratios import Ratio, Row

__all__ = ["Distrust", "distrust", "floor_text", "remark"]

_ANY = 1000.0
_MANY_DISTURBED = 0.1
"""From this share on a reader should know of it."""


@dataclass(frozen=True, slots=True)
class Distrust:
    """Why there is no answer: `disturbed` of `batches` ran beside others' work, `noise_floor` would have been seen."""

    reason: str
    disturbed: int
    batches: int
    noise_floor: float

    @property
    def busy(self) -> bool:
        """Whether it was others' work."""
        return self.disturbed > MOST_DISTURBED * self.batches


def distrust(arms: Iterable[Row], ratio: Ratio) -> Distrust | None:
    """Why `ratio`, of two of `arms`, is not to be believed; None if it is."""
    disturbed, batches = _counts(arms)
    if disturbed > MOST_DISTURBED * batches:
        reason = f"the machine was busy: {disturbed:,} of {batches:,} batches ran beside others' work"
    elif ratio.noise_floor > LARGEST_FLOOR and not is_clear(
        ratio.verdict, ratio.lo, ratio.hi, ratio.noise_floor
    ):
        reason = "the machine was busy, or the run too short"
    else:
        return None
    if ratio.noise_floor > LARGEST_FLOOR:
        reason += f"; no difference below {floor_text(ratio.noise_floor)} would have been seen"
    return Distrust(reason, disturbed, batches, ratio.noise_floor)


def floor_text(floor: float) -> str:
    """The smallest difference that would have been seen: ``58%``, and on a busy machine ``a factor of 3.2``."""
    if not floor >= 1:
        return percent_text(floor)
    return f"a factor of {number_text(1 + floor, 2)}" if floor < _ANY - 1 else "a factor of a thousand"


def remark(arms: Iterable[Row], placement: str) -> list[str]:
    """At most one line: that so many batches were disturbed that a reader should know."""
    disturbed, batches = _counts(arms)
    if disturbed <= _MANY_DISTURBED * batches:
        return []
    return [f"placement {placement}: {disturbed:,} of {batches:,} batches ran beside others' work"]


def _counts(arms: Iterable[Row]) -> tuple[int, int]:
    """(disturbed batches, batches) of the arms of which the run says it."""
    known = [row for row in arms if _is_known(row["rounds"]) and _is_known(row["contended_rounds"])]
    return int(sum(row["contended_rounds"] for row in known)), int(sum(row["rounds"] for row in known))


def _is_known(value: object) -> bool:
    return isinstance(value, int | float) and not math.isnan(value)
