"""What a claim is, and how figures become a verdict.

Nobody writes a verdict by hand: each part of a claim names the figure that decides and a rule with a threshold,
and the verdict is counted from the seeds that meet it.  A run that diverged says nothing; its value is NaN and
it is counted apart.
"""

from __future__ import annotations

import math
import operator
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from bench.text.units import MISSING, number_text, percent_text

__all__ = [
    "FAILS",
    "HOLDS",
    "OPEN",
    "PARTLY",
    "RULES",
    "Claim",
    "Figure",
    "Outcome",
    "Part",
    "Point",
    "Rule",
    "over",
]

HOLDS = "holds"
PARTLY = "partly"
FAILS = "does not hold"
OPEN = "no verdict"
"""Nothing was measured, or every seed diverged."""
_MOST = 0.8
"""The share of seeds that is most of them: a part holds."""
_FEW = 0.2
"""The share of seeds that is few of them, the mirror image: a part does not hold."""
_THIRD = 1 / 3
"""The score up to which a claim does not hold: of three parts one holds, or less."""
_TESTS: Mapping[str, Callable[[float, float], bool]] = {
    "<=": operator.le,
    ">=": operator.ge,
    ">": operator.gt,
}
RULES = (
    f"A part holds if at least {percent_text(_MOST)} of its seeds meet its threshold, does not hold if at most"
    f" {percent_text(_FEW)} do, and holds partly otherwise; a timing counts as three seeds: its estimate and both"
    " ends of its interval.",
    "A claim holds if all its parts do. Its score is the mean over its parts (holds 1, partly 1/2, does not hold 0);"
    " it does not hold if the score is at most 1/3, and holds partly otherwise.",
    "Figures are the median over seeds (of two in the middle the lower) [lowest, highest]; a ratio of times is an"
    " estimate with its 95 % interval. Runs that diverged (NaN, infinity, or 10,000 times the"
    " first loss) are counted apart and never as evidence for a claim.",
)


@dataclass(frozen=True, slots=True)
class Figure:
    """One measured quantity: a value per seed (NaN: that seed diverged); for a timing its low end, estimate, high end.

    `unit` is `share` (a fraction), `accuracy` (a fraction whose tenths of a per cent matter), `x` (a ratio), `steps`,
    or empty for a plain number.
    """

    name: str
    values: tuple[float, ...]
    unit: str = ""

    @property
    def usable(self) -> tuple[float, ...]:
        """The values of the seeds that did not diverge."""
        return tuple(value for value in self.values if not math.isnan(value))

    @property
    def diverged(self) -> int:
        """How many seeds diverged."""
        return len(self.values) - len(self.usable)

    @property
    def low(self) -> float:
        """The lowest usable value; NaN if there is none."""
        return min(self.usable, default=math.nan)

    @property
    def high(self) -> float:
        """The highest usable value; NaN if there is none."""
        return max(self.usable, default=math.nan)

    @property
    def median(self) -> float:
        """The median of the usable values (the lower one of two in the middle); NaN if there is none."""
        values = sorted(self.usable)
        return values[(len(values) - 1) // 2] if values else math.nan

    @property
    def text(self) -> str:
        """``50% [48%, 52%]``, with what diverged."""
        spread = f" [{self._one(self.low)}, {self._one(self.high)}]" if self.low != self.high else ""
        told = self._one(self.median) + (spread if self.usable else "")
        return told + (f" ({self.diverged} of {len(self.values)} diverged)" if self.diverged else "")

    def _one(self, value: float) -> str:
        if math.isnan(value):
            return MISSING
        if self.unit == "steps":
            return "never" if math.isinf(value) else f"{value:,.0f}"
        if self.unit == "accuracy":
            return f"{100 * value:.1f}%"
        return percent_text(value) if self.unit == "share" else number_text(value) + self.unit


@dataclass(frozen=True, slots=True)
class Rule:
    """The threshold that a value must meet to speak for the claim: `sense` is ``<=``, ``>=`` or ``>``."""

    sense: str
    limit: float

    def __post_init__(self) -> None:
        if self.sense not in _TESTS:
            raise ValueError(f"{self.sense!r} is not known; allowed: {', '.join(_TESTS)}")

    def met(self, figure: Figure) -> tuple[int, int]:
        """How many of the usable values meet the threshold, and how many there are."""
        test = _TESTS[self.sense]
        return sum(test(value, self.limit) for value in figure.usable), len(figure.usable)

    def verdict(self, figure: Figure) -> str:
        """Counted as `RULES` says; `no verdict` where every seed diverged."""
        met, of = self.met(figure)
        if not of:
            return OPEN
        share = met / of
        return HOLDS if share >= _MOST else FAILS if share <= _FEW else PARTLY

    def text(self, figure: Figure) -> str:
        """The threshold in the figure's unit: ``>= 10%``."""
        shown = Figure("", (self.limit,), figure.unit).text
        return f"{self.sense} {shown}"


@dataclass(frozen=True, slots=True)
class Part:
    """One testable statement of a claim; `judged` decides by `rule`, the figures in `beside` stand for comparison."""

    name: str
    says: str
    experiment: str
    judged: Figure
    rule: Rule
    beside: tuple[Figure, ...] = ()
    timed: bool = False

    @property
    def verdict(self) -> str:
        """The rule applied to the figure that decides."""
        return self.rule.verdict(self.judged)


@dataclass(frozen=True, slots=True)
class Point:
    """A point of a figure: median and range over seeds at `x`, in `panel`, of `series`."""

    panel: str
    series: str
    x: float
    low: float
    median: float
    high: float


@dataclass(slots=True)
class Outcome:
    """What an experiment found: parts of the claim, and points of figures by the figure's name."""

    parts: list[Part] = field(default_factory=list)
    points: dict[str, list[Point]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Claim:
    """What the articles say, in their words, its parts as measured, and who wrote about it."""

    key: str
    quote: str
    literature: tuple[str, ...]
    parts: tuple[Part, ...]

    @property
    def verdict(self) -> str:
        """Counted over the parts as `RULES` says."""
        verdicts = [part.verdict for part in self.parts if part.verdict != OPEN]
        if not verdicts:
            return OPEN
        if len(verdicts) == len(self.parts) and set(verdicts) == {HOLDS}:
            return HOLDS
        score = sum({HOLDS: 1.0, PARTLY: 0.5, FAILS: 0.0}[verdict] for verdict in verdicts) / len(verdicts)
        return FAILS if score <= _THIRD else PARTLY


def over(panel: str, series: str, x: float, values: Sequence[float]) -> Point:
    """The point at `x` for one value per seed; diverged seeds (NaN) left out."""
    figure = Figure(series, tuple(float(value) for value in np.asarray(values)))
    return Point(panel, series, x, figure.low, figure.median, figure.high)
