"""How often are identical programs called different on a device?  ``python -m scripts._card.same --json FILE``.

An A/A: in twenty experiments a backend runs beside two copies of itself, each in processes of its own.  The verdicts
are those of a run.
"""

from __future__ import annotations

import itertools
import json
from collections.abc import Sequence
from typing import Any

from bench.plan.experiments import FLOOR, Arm, Experiment, Variant
from bench.records.columns import TIMED
from bench.records.schema import Cell
from bench.stats.significance import rate_interval
from bench.text.sizes import parse_size
from kernels.api import DIRECTIONS, MAIN_OPS, Case
from scripts._card.outcomes import ALARMS
from scripts._card.studying import cells_of, options, settings_of
from scripts._shared import cli

__all__ = ["experiments", "main", "summed_up"]

_SIZES = ("1Ki", "64Ki", "1Mi", "4Mi", "16Mi")
_COPY = "RELU_BENCH_COPY"
"""A variable that nobody reads, by which the copies differ in name."""
_COPIES = 2
_PROMISED = _COPIES * 0.01
"""The share of experiments with a false alarm that the suite promises at most: so much a pair (scripts/trust.py)."""


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line `argv`; 1 if more than is promised (at 95 %) are called different, or none was judged."""
    given = options(__doc__ or "", argv)
    cells = cells_of(settings_of(given), experiments(given.device, given.base))
    found = summed_up(cells) | {"base": given.base}
    given.json.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")
    print(f"{found['alarms']} of {found['pairs']} pairs of identical programs were called different")
    return int(found["lo"] > _PROMISED or not found["pairs"])


def experiments(device: str, base: str) -> list[Experiment]:
    """Twenty cases, small ones first: a backend, and copies of it."""
    copies = (Arm(base, "candidate", Variant(f"copy{i + 1}", ((_COPY, str(i + 1)),))) for i in range(_COPIES))
    arms = (Arm(base, "baseline"), *copies, Arm(FLOOR, "floor"))
    points = itertools.product(map(parse_size, _SIZES), MAIN_OPS, DIRECTIONS)
    return [Experiment(Case(op, direction, "out", n=n, device=device), arms) for n, op, direction in points]


def summed_up(cells: Sequence[Cell]) -> dict[str, Any]:
    """The pairs that were judged, and in how many experiments one of them was called different.

    The interval, of 95 %, is that of the share of experiments: pairs of one experiment hang together.
    """
    copies = [cell for cell in cells if cell.role == "candidate"]
    judged = [cell for cell in copies if cell.status in TIMED and cell.verdict]
    experiments = {cell.case for cell in judged}
    alarmed = {cell.case for cell in judged if cell.verdict in ALARMS}
    lo, hi = rate_interval(len(alarmed), len(experiments)) if judged else (0.0, 1.0)
    return {
        "experiments": len(experiments),
        "alarmed": len(alarmed),
        "lo": lo,
        "hi": hi,
        "pairs": len(judged),
        "alarms": sum(cell.verdict in ALARMS for cell in judged),
        "judged": [_told(cell) for cell in judged],
        "untimed": sorted({f"{cell.status}: {cell.reason}" for cell in copies if cell not in judged}),
    }


def _told(cell: Cell) -> dict[str, Any]:
    case = cell.case
    return {
        "experiment": f"{case.op} {case.direction} {case.placement} {case.dtype} {case.n}, {cell.variant}",
        "verdict": cell.verdict,
        "speedup": cell.speedup,
        "noise_floor": cell.noise_floor,
    }


if __name__ == "__main__":
    cli.run(main, (cli.UsageError,))
