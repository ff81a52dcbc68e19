"""Our seconds per call beside another timer's, and how many agree."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from tabulate import tabulate

from bench.text.units import ratio_text, seconds_text

__all__ = ["Compared", "agreeing", "section", "show"]

WITHIN = 0.10
"""Differences up to this fraction count as agreement."""


@dataclass(frozen=True, slots=True)
class Compared:
    """One cell: seconds per call as we measure them and as the Timer does."""

    experiment: str
    backend: str
    ours_s: float
    timer_s: float

    @property
    def ratio(self) -> float:
        """Ours over the Timer's."""
        return self.ours_s / self.timer_s

    @property
    def agrees(self) -> bool:
        """Whether they are near enough."""
        return abs(self.ratio - 1) <= WITHIN


def _line(each: Compared) -> tuple[str, ...]:
    return (seconds_text(each.ours_s), seconds_text(each.timer_s), ratio_text(each.ratio))


def agreeing(found: Sequence[Compared]) -> str:
    """How many agree, in words."""
    count = sum(each.agrees for each in found)
    return f"{count} of {len(found)} agree within {100 * WITHIN:.0f} %: {count / len(found):.1%}"


def show(found: Sequence[Compared]) -> float:
    """Print each cell and the share that agrees, which is returned."""
    for each in found:
        ours, theirs, ratio = _line(each)
        print(
            f"{each.experiment:40} {each.backend:16} ours {ours:>8}  "
            f"Timer {theirs:>8}  {ratio:>7}{'' if each.agrees else '  differs'}"
        )
    print(f"\n{agreeing(found)}")
    return sum(each.agrees for each in found) / len(found)


def section(found: Sequence[Compared]) -> str:
    """The share that agrees, and the cells that do not, as markdown."""
    rows = [(each.experiment, each.backend, *_line(each)) for each in found if not each.agrees]
    headers = ("cell that differs", "backend", "ours", "Timer", "ours / Timer")
    table = tabulate(rows, headers=headers, tablefmt="github", disable_numparse=True)
    return f"{agreeing(found)}.\n\n{table}" if rows else f"{agreeing(found)}."
