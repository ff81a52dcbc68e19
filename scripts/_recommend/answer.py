"""What to use for one case: the fastest arm, measured or told from a fitted curve, and how sure that is."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd

from bench.stats.estimates import Interval
from bench.stats.fastest import standings
from bench.stats.size_curves import Curve, ratio_misses, stretches
from bench.text.sizes import format_size
from kernels.api import AXES, Case
from scripts._recommend.ranking import Answer, Missing, arm_of, best_of, others_of, used_now
from scripts._recommend.runs import Evidence
from scripts._recommend.trust import distrust
from scripts._shared.filters import matching
from scripts._shared.ratios import ITSELF, Ratio, Row, between, rows_of

__all__ = ["answer"]

_NEAR = 0.05
"""Curves nearer than this are one in the list of crossovers, whatever the noise floor."""


def answer(evidence: Evidence, case: Case, now: str | None) -> Answer | Missing:
    """What to use for `case`; `now` is the arm that is used now (None: torch_eager, else the baseline).

    Raises UsageError if no cell of the case's kind is of `now`.
    """
    line = matching(evidence.cells, case, but=("n",))
    line = line[line["n"] > 0]  # an empty tensor is on no curve
    if line.empty:
        return Missing(case.placement, _what_is_there(evidence, case))
    curves = _curves(line, case, evidence.caches if case.device == "cpu" else [])
    at = line[line["n"] == case.n]
    if len(at):
        at = at[at["run_id"] == at["run_id"].iloc[-1]]
        found = _measured(evidence, case, rows_of(at), now)
    elif not curves:
        there = ", ".join(format_size(int(n)) for n in sorted(line["n"].unique()))
        return Missing(
            case.placement, f"only measured at {there} elements: a curve needs at least two sizes of an arm"
        )
    else:
        found = _told(line, curves, case, now, evidence.resolve(str(line["run_id"].iloc[-1])))
    found.distrust = distrust(found.arms, found.over_now)
    found.neighbours = [] if found.basis == "measured" else _neighbours(line, found)
    found.curves = curves
    noise = float(np.nanmedian(line["noise_floor"])) if line["noise_floor"].notna().any() else 0.0
    found.crossovers = stretches(curves, max(noise if math.isfinite(noise) else 0.0, _NEAR))
    return found


def _measured(evidence: Evidence, case: Case, rows: list[Row], now: str | None) -> Answer:
    found = standings(rows)
    rows = sorted(rows, key=lambda row: float(row["time_s"]))
    present = used_now(rows, now)

    ratios = {arm_of(row): ITSELF if row is present else evidence.paired(present, row) for row in rows}
    best, over_now = best_of(found.fastest, ratios)
    use = best if over_now.verdict == "faster" else present
    as_fast, not_known = others_of(use, found.fastest, found.unresolved)
    resolve = evidence.resolve(str(best["run_id"]))
    return Answer(case, "measured", rows, best, present, over_now, ratios, as_fast, not_known, resolve)


def _told(
    line: pd.DataFrame, curves: dict[str, Curve], case: Case, now: str | None, resolve: float
) -> Answer:
    """Times from the curves; where some cover the size, the others do not compete."""
    covering = {name: curve for name, curve in curves.items() if curve.covers(case.n)}
    chosen = covering or curves
    rows = sorted(
        (_told_row(line, name, curve, case) for name, curve in chosen.items()), key=lambda r: r["time_s"]
    )
    present, leader = used_now(rows, now), rows[0]

    def ratio(slow: Row, fast: Row) -> Ratio:
        return ITSELF if slow is fast else _told_ratio(chosen, slow, fast, resolve)

    words = {arm_of(row): ratio(row, leader).verdict for row in rows}
    fastest = [row for row in rows if words[arm_of(row)] == "same"]
    ratios = {arm_of(row): ratio(present, row) for row in rows}
    best, over_now = best_of(fastest or [leader], ratios)
    as_fast, not_known = others_of(best, fastest, [row for row in rows if words[arm_of(row)] == "unresolved"])
    basis = "fitted" if covering else "extrapolated"
    return Answer(case, basis, rows, best, present, over_now, ratios, as_fast, not_known, resolve)


def _neighbours(line: pd.DataFrame, found: Answer) -> list[tuple[int, float]]:
    """The sizes next to the case's at which both arms were timed, with the ratio of their times there."""
    names = pd.Series([arm_of(row) for row in rows_of(line)], line.index)
    best, now = (line[names == arm_of(row)].groupby("n")["time_s"].last() for row in (found.best, found.now))
    gains = (now / best).dropna()
    sides = gains[gains.index < found.case.n].tail(1), gains[gains.index > found.case.n].head(1)
    return [(int(n), float(gain)) for side in sides for n, gain in zip(side.index, side, strict=True)]


def _told_row(line: pd.DataFrame, name: str, curve: Curve, case: Case) -> Row:
    """A row as a cell would have it, from the nearest measured size, with the time from the curve."""
    mine = line[[arm_of(row) == name for row in rows_of(line)]]
    near = mine.iloc[int(np.abs(np.log(mine["n"].to_numpy() / case.n)).argmin())].to_dict()
    time_s = float(curve.at(case.n))
    unknown = dict.fromkeys(
        ("time_lo_s", "time_hi_s", "ceiling_fraction", "speedup_lo", "speedup_hi"), math.nan
    )
    told = {"n": case.n, "time_s": time_s, "gb_per_s": case.bytes_moved / time_s / 1e9, "status": "told"}
    return {**{str(key): value for key, value in near.items()}, **unknown, **told}


def _told_ratio(curves: dict[str, Curve], slow: Row, fast: Row, resolve: float) -> Ratio:
    """The ratio of two curves, give or take the worst miss among the sizes that were left out in turn."""
    value = slow["time_s"] / fast["time_s"]
    one, other = curves[arm_of(slow)], curves[arm_of(fast)]
    misses = ratio_misses(one, other)
    unknown = Interval(value, math.nan, math.nan)
    if not (one.covers(fast["n"]) and other.covers(fast["n"])):
        return between(unknown, 0.0, "from curves beyond the sizes that were measured")
    if not misses:
        return between(unknown, 0.0, "from two curves without a size between others to test them")
    worst = math.exp(max(abs(math.log(miss)) for miss in misses))
    noise = 1 + max(0.0 if math.isnan(row["noise_floor"]) else row["noise_floor"] for row in (slow, fast))
    spread = worst * noise
    how = f"from the fitted curves, give or take their worst miss at {len(misses)} left-out sizes"
    found = between(Interval(value, value / spread, value * spread), 0.0, how)
    same = found.lo > 1 / (1 + resolve) and found.hi < 1 + resolve
    return replace(found, verdict="same") if same else found


def _curves(line: pd.DataFrame, case: Case, caches: Sequence[int]) -> dict[str, Curve]:
    """A curve for each arm with at least two sizes; of a size measured twice the last counts."""
    points: dict[str, dict[int, Any]] = {}
    for row in rows_of(line):
        points.setdefault(arm_of(row), {})[int(row["n"])] = row
    moved = case.bytes_moved / case.n
    held = moved - (case.itemsize if case.placement == "inplace" else 0)
    return {
        name: Curve(list(found), [float(row["time_s"]) for row in found.values()], moved, held, caches)
        for name, found in points.items()
        if len(found) >= 2
    }


def _what_is_there(evidence: Evidence, case: Case) -> str:
    """Which axis keeps the runs from answering, and what they have on it."""
    first = ("op", "direction", "device", "dtype", "placement")
    cells = evidence.cells
    for axis in (*first, *(axis for axis in AXES if axis not in (*first, "n"))):
        left = cells[cells[axis] == getattr(case, axis)]
        if left.empty:
            there = ", ".join(str(value) for value in sorted(cells[axis].unique()))
            return f"nothing was timed with {axis} {getattr(case, axis)}; there is {axis} {there or '(nothing at all)'}"
        cells = left
    return "nothing was timed"
