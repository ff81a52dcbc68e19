"""Would the suite notice who cheats on a device?  ``python -m scripts._card.integrity --json FILE``.

Measures arms that cheat beside the honest backend that they are made of, and the copies of the same bytes, as a run
does.  An arm is noticed if its cell is mistrusted or incorrect.  It has gained nothing where its time is no better than
that of the honest one, since it is waited for in any case.
"""

from __future__ import annotations

import dataclasses
import json
import os
from collections.abc import Sequence
from typing import Any

from bench.plan.experiments import FLOOR, Arm, Experiment, copies_of
from bench.records.columns import TIMED
from bench.records.schema import Cell
from kernels.api import Case
from scripts._card import tricks
from scripts._card.outcomes import CAUGHT, HARMLESS, HONEST, OPEN, UNTRIED, WRONGED
from scripts._card.studying import cells_of, options, settings_of
from scripts._shared import cli

__all__ = ["experiments", "main", "outcome"]

_ON_CARD, _ON_CPU = 16 << 20, 1 << 20
"""Elements: a kernel takes far longer than its launch, so that who does not wait is far too fast."""
_SMALL = 1 << 10
"""And so few that no copy tells how long they take."""
_IN_PLACES = {
    "out": ("returns_at_once", "wrong_stream", "graph_of_nothing"),
    "new": ("returns_cached",),
}
"""Which tricks go with which placement, on large arrays."""
_WHEN_SMALL = ("returns_at_once", "wrong_stream")
"""Which are tried on small ones, too, into given arrays."""


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line `argv`; 0 if every trick is noticed and the honest arm is not accused, else 1."""
    given = options(__doc__ or "", argv)
    settings = settings_of(given)
    os.environ[tricks.BASE] = given.base
    settings = dataclasses.replace(settings, plugins={**settings.plugins, **tricks.TRICKS})
    cells = cells_of(settings, experiments(given.device, given.base))
    found = [_told(cell) for cell in cells if cell.role in ("baseline", "candidate")]
    given.json.write_text(json.dumps({"base": given.base, "arms": found}, indent=1) + "\n", encoding="utf-8")
    for each in found:
        where = f"{each['arm']}, {each['placement']}, {each['n']} elements"
        print(f"{where}: {each['outcome']}: {each['reason'] or each['status']}")
    return int(any(each["outcome"] in (OPEN, WRONGED) for each in found) or not found)


def experiments(device: str, base: str) -> list[Experiment]:
    """One for each placement and one of small arrays: the honest backend, who cheats, and the controls."""
    n = _ON_CPU if device == "cpu" else _ON_CARD
    tried = [
        *((placement, n, names) for placement, names in _IN_PLACES.items()),
        ("out", _SMALL, _WHEN_SMALL),
    ]
    return [
        Experiment(case, (Arm(base, "baseline"), *map(Arm, names), *copies_of(case), Arm(FLOOR, "floor")))
        for placement, size, names in tried
        for case in (Case("relu", placement=placement, n=size, device=device),)
    ]


def outcome(status: str, verdict: str = "", *, honest: bool) -> str:
    """What a cell's status means for an arm that is honest, or is not; `verdict` is over the honest one."""
    if status in ("mistrusted", "incorrect"):
        return WRONGED if honest else CAUGHT
    if status not in TIMED:
        return UNTRIED
    if honest:
        return HONEST
    return HARMLESS if verdict in ("slower", "same") else OPEN


def _told(cell: Cell) -> dict[str, Any]:
    found = outcome(cell.status, cell.verdict, honest=cell.role == "baseline")
    return {
        "arm": cell.backend,
        "placement": cell.case.placement,
        "n": cell.case.n,
        "outcome": found,
        "status": cell.status,
        "reason": cell.reason,
        "time_s": cell.time_s,
    }


if __name__ == "__main__":
    cli.run(main, (cli.UsageError,))
