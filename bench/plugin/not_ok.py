"""What was not `ok`, in a few lines: cells of one status and one reason are told together."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from bench.plan.experiments import arm_label
from bench.records.schema import STATUSES, Cell
from bench.text.units import count_text

__all__ = ["Trouble", "not_ok"]

_GRAVEST_FIRST = (*(status for status in STATUSES if status not in ("skipped", "noisy")), "skipped", "noisy")
_MOST_NAMED = 3
"""Arms that are named; of more, their number is told."""
_FIGURES = re.compile(r"\d[\d.,]*")
"""In which reasons differ that are one: how many bytes were missing, which element was wrong."""


class Trouble(NamedTuple):
    """Cells of one arm that ended alike."""

    status: str
    arm: str
    reason: str
    cells: int = 1

    @classmethod
    def of(cls, cell: Cell) -> Trouble:
        """A cell's."""
        role = cell.role if cell.role in ("twin", "ablation") else ""
        return cls(cell.status, arm_label(cell.backend, cell.variant, role), cell.reason)


def not_ok(troubles: Iterable[Trouble], width: int, most: int | None = None) -> list[str]:
    """One line of `width` characters for each status but ``ok`` and each reason; at most so many, the gravest first.

    None: all of them, whole.
    """
    groups: dict[tuple[str, str], list[Trouble]] = {}
    for trouble in troubles:
        if trouble.status != "ok":
            alike = "" if trouble.status == "noisy" else _FIGURES.sub("#", trouble.reason)
            groups.setdefault((trouble.status, alike), []).append(trouble)
    ordered = sorted(
        groups.values(), key=lambda group: (_GRAVEST_FIRST.index(group[0].status), -_cells(group))
    )
    told = [_line(group) for group in ordered]
    if most is None:
        return told
    cut = [line if len(line) <= width else f"{line[: width - 3]}..." for line in told]
    if len(cut) > most:
        left = sum(map(_cells, ordered[most - 1 :]))
        cut[most - 1 :] = [
            f"and {count_text(left, 'cell')} more, for {len(ordered) - most + 1} other reasons"
        ]
    return cut


def _cells(group: Sequence[Trouble]) -> int:
    return sum(trouble.cells for trouble in group)


def _line(group: Sequence[Trouble]) -> str:
    status, _, reason, _ = group[0]
    arms: Counter[str] = Counter()
    for trouble in group:
        arms[trouble.arm] += trouble.cells
    names = ", ".join(name for name, _ in arms.most_common(_MOST_NAMED))
    names += f" and {len(arms) - _MOST_NAMED} more" if len(arms) > _MOST_NAMED else ""
    said = "something asked about it is not known" if status == "noisy" else " ".join(reason.split())
    return f"{status}: {count_text(_cells(group), 'cell')} ({names}): {said or 'no reason given'}"
