"""Cases of arms that are near each other, as the rule of the fastest set may meet them."""

from __future__ import annotations

import random
from typing import Any

from bench.records.schema import Cell
from tests.factories import cell

_ROLES = (*("candidate",) * 5, "baseline", "twin", "ceiling")
_VERDICTS = ("", "same", "same", "slower", "unresolved", "faster")


def near_cases(count: int, runs: tuple[str, ...] = ("run1",)) -> list[list[Cell]]:
    """Case `i` has i + 1 elements; leaders are there, elsewhere or unknown, and of some arms figures are missing."""
    draw = random.Random(7)
    return [_case(draw, n, runs) for n in range(1, count + 1)]


def _case(draw: random.Random, n: int, runs: tuple[str, ...]) -> list[Cell]:
    leader = draw.choice(["", "a0", "a0", "a1[thp]", "a1", "gone"])
    cells = []
    for place in range(draw.randint(1, 6)):
        time_s = 1.0 if draw.random() < (0.2 if place else 0.6) else round(draw.uniform(1, 1.4), 2)
        ratio = draw.uniform(0.9, 1.3)
        figures = {
            **{"time_lo_s": 0.95 * time_s, "time_hi_s": draw.choice([1.05 * time_s, float("inf")])},
            **{"speedup_lo": 0.95 * ratio, "speedup_hi": 1.05 * ratio, "noise_floor": draw.uniform(0, 0.2)},
        }
        named: dict[str, Any] = {
            "variant": draw.choice(["", "thp"]) if place else "",
            "run_id": draw.choice(runs),
            "role": draw.choice(_ROLES) if place else "baseline",
            "status": draw.choice(["ok", "ok", "noisy", "failed"]) if place else "ok",
            "baseline": draw.choice(["a0", "a0", ""]),
            "leader": leader,
            "leader_verdict": leader and draw.choice(_VERDICTS),
        }
        known = {name: value if draw.random() < 0.8 else None for name, value in figures.items()}
        cells.append(cell(f"a{place}", time_s, n=n, **named, **known))
    return cells
