"""How far a run can be trusted, in a sentence: how many of its cells are precise, how many noisy, and why."""

from __future__ import annotations

import pandas as pd

from bench.stats.fastest import COMPETING
from bench.text.units import percent_text
from scripts._shared.remarks import clean

__all__ = ["trust_lines"]


def trust_lines(cells: pd.DataFrame) -> dict[str, str]:
    """A sentence for each run, by its name.  `cells` are as `scripts._shared.summary.ranked` leaves them."""
    ranked = cells[cells["timed"] & cells["role"].isin(COMPETING)]
    return {clean(run): _line(some) for run, some in ranked.groupby(ranked["run_id"].astype(str))}


def _line(cells: pd.DataFrame) -> str:
    noisy = cells["status"] == "noisy"
    open_ = noisy & ((cells["verdict"] == "unresolved") | (cells["leader_verdict"] == "unresolved"))
    count, bad, unresolved = len(cells), int(noisy.sum()), int(open_.sum())
    parts = [f"{unresolved:,} with an unresolved verdict"] * (unresolved > 0)
    parts += [f"{bad - unresolved:,} with an interval wider than asked for"] * (bad > unresolved)
    why = f" ({', '.join(parts)})" if parts else ""
    batches, disturbed = cells["rounds"].sum(), cells["contended_rounds"].sum()
    beside = (
        f" Others used the CPU during {percent_text(disturbed / batches)} of its batches." if batches else ""
    )
    return f"Of the run's {count:,} ranked cells {count - bad:,} are precise, {bad:,} noisy{why}.{beside}"
