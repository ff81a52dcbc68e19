"""What an answer is made of: the arms of a case, which of them is used now, and which there is to change to."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from bench.plan.experiments import arm_label
from bench.stats.size_curves import Curve, Stretch
from bench.text.hints import did_you_mean
from kernels.api import Case
from scripts._recommend.trust import Distrust
from scripts._shared import cli
from scripts._shared.ratios import Ratio, Row
from scripts._shared.remarks import clean

__all__ = [
    "Answer",
    "Missing",
    "arm_of",
    "best_of",
    "break_even",
    "others_of",
    "used_now",
]

_USUALLY = "torch_eager"
"""What is used now, unless it is said."""


@dataclass(frozen=True, slots=True)
class Missing:
    """Why the runs do not answer for a placement."""

    placement: str
    reason: str


@dataclass(slots=True)
class Answer:
    """The arms of a case, the fastest first, and the evidence; `basis` is measured, fitted or extrapolated.

    `best` is what there would be to change to, and `over_now` how it is beside `now`, what is used now; `ratios` has
    that of each arm.  `as_fast` are the same as `use`; of those in `not_known` it is not known whether they are.
    """

    case: Case
    basis: str
    arms: list[Row]
    best: Row
    now: Row
    over_now: Ratio
    ratios: dict[str, Ratio]
    as_fast: list[str]
    not_known: list[str]
    resolve: float
    """The fraction within which arms are the same."""
    curves: dict[str, Curve] = field(default_factory=dict)
    crossovers: list[Stretch] = field(default_factory=list)
    neighbours: list[tuple[int, float]] = field(default_factory=list)
    """Of a size that was not measured: those beside it that were, and how many times as fast `best` is there."""
    distrust: Distrust | None = None
    """Why this is no answer."""

    @property
    def use(self) -> Row:
        """What to use: `best` where it was shown, or a curve tells, that it is faster, else what is used now."""
        return self.now if self.keep else self.best

    @property
    def keep(self) -> bool:
        """Whether nothing is faster than what is used now, as far as is known."""
        if self.distrust is not None:
            return True
        if self.basis != "measured":
            return self.over_now.value <= 1 or self.over_now.verdict == "same"
        return self.over_now.verdict != "faster"

    @property
    def sure(self) -> bool:
        """Whether it was measured at this very size and found out."""
        return self.basis == "measured" and self.distrust is None and self.over_now.verdict != "unresolved"


def arm_of(row: Row) -> str:
    """``torch_eager`` or ``torch_eager[thp]``."""
    return clean(arm_label(str(row["backend"]), str(row["variant"])))


def break_even(use: Row, now: Row) -> float:
    """Calls after which a longer first call of `use` is paid back: 0 at once, inf never, NaN unknown."""
    extra = float(use["first_call_s"]) - float(now["first_call_s"])
    gain = float(now["time_s"]) - float(use["time_s"])
    if math.isnan(extra):
        return math.nan
    return math.ceil(max(extra, 0.0) / gain) if gain > 0 else math.inf


def best_of(fastest: Sequence[Row], ratios: Mapping[str, Ratio]) -> tuple[Row, Ratio]:
    """The leader; or the same backend without a variant, where it is as fast and shown to be faster than now."""
    leader = fastest[0]
    plain = [row for row in fastest[1:] if row["backend"] == leader["backend"] and not row["variant"]]
    for row in plain:
        if (found := ratios[arm_of(row)]).verdict == "faster":
            return row, found
    return leader, ratios[arm_of(leader)]


def others_of(use: Row, fastest: Sequence[Row], unresolved: Sequence[Row]) -> tuple[list[str], list[str]]:
    """(the names of those that are the same as `use`, of those of which that is not known)."""
    names, name = list(map(arm_of, fastest)), arm_of(use)
    open_ = [other for other in map(arm_of, unresolved) if other != name]
    if name in names:
        return [other for other in names if other != name], open_
    return [], [*names, *open_]


def used_now(rows: Sequence[Row], now: str | None) -> Row:
    """The row of the arm that is used now."""
    if now is None:
        usual = (row for row in rows if arm_of(row) == _USUALLY)
        return next(usual, next((row for row in rows if row["role"] == "baseline"), rows[-1]))
    found = next((row for row in rows if arm_of(row) == now), None)
    if found is None:
        names = [arm_of(row) for row in rows]
        raise cli.UsageError(
            f"--now: no time of {now!r} in this case; there is {', '.join(names)}{did_you_mean(now, names)}"
        )
    return found
