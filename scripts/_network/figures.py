"""The figures of measured networks: times, speed-ups, and the share that the activation takes.

The share is ``1 - t' / t``, t' being the time of the same network without its activation, measured in the same
rounds by an arm of its own (role `ablation`).  Its limit: a compiler that fuses the activation into the product
before it leaves nothing to take away, and one that cannot fuse it pays for a pass over memory as well.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from bench.records.columns import TIMED
from bench.records.schema import CELL_KEY
from bench.stats.estimates import Interval
from bench.stats.fastest import COMPETING
from bench.stats.frames import arm_key, rounds_by_arm
from bench.stats.moderation import RoundVariance
from bench.stats.verdicts import Rounds
from kernels.networks.case import NETWORK_OPS, parse_widths
from scripts._shared.pairs import Timed, gain, rounds_vary, timed_of

__all__ = ["COLUMNS", "figures"]

_CASE = ("run_id", "machine", "op", "direction", "layout", "n", "device", "threads", "negative_slope")
COLUMNS = (
    *_CASE,
    *("batch", "backend", "variant", "status", "time_s", "time_lo_s", "time_hi_s", "against"),
    *("speedup", "speedup_lo", "speedup_hi", "share", "share_lo", "share_hi"),
)
"""The columns of `figures`: those of cells.csv under their names; `speedup` is over `against`."""


@dataclass(frozen=True, slots=True)
class _Arm:
    time_s: float
    timed: Timed | None


def figures(cells: pd.DataFrame, rounds: pd.DataFrame | None, against: str) -> pd.DataFrame:
    """One row for each implementation of each network in `cells`, timed or not; by op, direction, widths and batch.

    Ratios come from `rounds`, with intervals for a new process; without these the intervals are NaN.
    """
    networks = cells[cells["op"].isin(NETWORK_OPS)]
    seconds = _by_arm(rounds)
    found: list[dict[str, Any]] = []
    for _, experiment in networks.groupby(list(_CASE), observed=True, sort=True):
        found += _experiment(experiment, seconds, against)
    table = pd.DataFrame(found, columns=list(COLUMNS))
    order = ["run_id", "machine", "op", "direction", "_size", "batch", "threads", "negative_slope", "time_s"]
    table["_size"] = [parse_widths(layout)[0] * parse_widths(layout)[1] for layout in table["layout"]]
    return table.sort_values(order, kind="stable")[list(COLUMNS)].reset_index(drop=True)


def _by_arm(rounds: pd.DataFrame | None) -> dict[tuple[Any, ...], Rounds]:
    """The rounds of each cell."""
    if rounds is None:
        return {}
    return rounds_by_arm(rounds[rounds["op"].isin(NETWORK_OPS)], CELL_KEY)


def _experiment(
    cells: pd.DataFrame, seconds: dict[tuple[Any, ...], Rounds], against: str
) -> Iterator[dict[str, Any]]:
    arms: dict[tuple[str, str, bool], _Arm] = {}
    known: list[tuple[Any, Rounds]] = []
    for row in cells.to_dict("records"):
        if row["status"] in TIMED and row["role"] in (*COMPETING, "ablation"):
            rounds = seconds.get(arm_key(row[name] for name in CELL_KEY))
            timed = None if rounds is None else timed_of(rounds, row)
            name = str(row["backend"]), str(row["variant"]), row["role"] == "ablation"
            arms[name] = _Arm(float(row["time_s"]), timed)
            known += [(row, rounds)] if rounds else []
    common = rounds_vary(known)
    for row in cells.to_dict("records"):
        if row["role"] not in COMPETING:
            continue
        backend, variant = str(row["backend"]), str(row["variant"])
        arm, other = arms.get((backend, variant, False)), arms.get((against, "", False))
        speedup, without = (_ratio(one, arm, common) for one in (other, arms.get((backend, variant, True))))
        yield {
            **{name: row[name] for name in (*_CASE, "backend", "variant", "status")},
            **{name: row[name] for name in ("time_s", "time_lo_s", "time_hi_s")},
            "batch": int(row["n"]) // parse_widths(str(row["layout"]))[0],
            "against": against,
            **{"speedup": speedup.value, "speedup_lo": speedup.lo, "speedup_hi": speedup.hi},
            **{"share": 1 - without.value, "share_lo": 1 - without.hi, "share_hi": 1 - without.lo},
        }


def _ratio(one: _Arm | None, other: _Arm | None, common: RoundVariance) -> Interval:
    """Time over time, paired by round; NaN where either was not timed."""
    if one is None or other is None:
        return Interval(np.nan, np.nan, np.nan)
    found = gain(other.timed, one.timed, common=common) if one.timed and other.timed else None
    return found.times if found else Interval(one.time_s / other.time_s, np.nan, np.nan)
