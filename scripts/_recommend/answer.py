"""What to use for one case: the fastest arm, measured or told from a fitted curve, and how sure that is."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd

from bench.plan.experiments import arm_label
from bench.stats.fastest import fastest_set
from bench.stats.size_curves import Curve, Stretch, ratio_misses, stretches
from bench.text.hints import did_you_mean
from bench.text.sizes import format_size
from kernels.api import AXES, Case
from scripts._recommend.ratios import Ratio, Row, paired
from scripts._recommend.runs import Evidence, matching
from scripts._shared import cli
from scripts._shared.remarks import clean

__all__ = ["Answer", "Missing", "answer", "arm_of", "break_even"]

_TIE = 0.05
"""Curves nearer than this are one in the list of crossovers, whatever the noise floor."""


@dataclass(frozen=True, slots=True)
class Missing:
    """Why the runs do not answer for a placement."""

    placement: str
    reason: str


@dataclass(slots=True)
class Answer:
    """The arms of a case, the fastest first, and the evidence; `basis` is measured, fitted or extrapolated."""

    case: Case
    basis: str
    arms: list[Row]
    use: Row
    as_fast: list[str]
    now: Row
    over_now: Ratio
    over_baseline: Ratio | None
    curves: dict[str, Curve] = field(default_factory=dict)
    crossovers: list[Stretch] = field(default_factory=list)

    @property
    def keep(self) -> bool:
        """Whether nothing is faster beyond doubt than what is used now."""
        return arm_of(self.use) == arm_of(self.now)


def arm_of(row: Row) -> str:
    """``torch_eager`` or ``torch_eager[thp]``."""
    return clean(arm_label(str(row["backend"]), str(row["variant"])))


def answer(evidence: Evidence, case: Case, now: str | None) -> Answer | Missing:
    """What to use for `case`; `now` is the arm that is used now (None: the baseline).

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
        found = _measured(evidence, case, _rows(at), now)
    elif not curves:
        there = ", ".join(format_size(int(n)) for n in sorted(line["n"].unique()))
        return Missing(
            case.placement, f"only measured at {there} elements: a curve needs at least two sizes of an arm"
        )
    else:
        found = _told(line, curves, case, now)
    found.curves = curves
    noise = float(np.nanmedian(line["noise_floor"])) if line["noise_floor"].notna().any() else 0.0
    found.crossovers = stretches(curves, max(noise if math.isfinite(noise) else 0.0, _TIE))
    return found


def break_even(use: Row, now: Row) -> float:
    """Calls after which a longer first call of `use` is paid back: 0 at once, inf never, NaN unknown."""
    extra = float(use["first_call_s"]) - float(now["first_call_s"])
    gain = float(now["time_s"]) - float(use["time_s"])
    if math.isnan(extra):
        return math.nan
    return math.ceil(max(extra, 0.0) / gain) if gain > 0 else math.inf


def _rows(frame: pd.DataFrame) -> list[Row]:
    return [{str(key): value for key, value in row.items()} for row in frame.to_dict("records")]


def _measured(evidence: Evidence, case: Case, rows: list[Row], now: str | None) -> Answer:
    leaders = fastest_set(rows)
    rows = sorted(rows, key=lambda row: float(row["time_s"]))
    present = _now(rows, now)
    names = [arm_of(row) for row in leaders]
    plain = next(
        (row for row in leaders if row["backend"] == leaders[0]["backend"] and not row["variant"]), None
    )
    use = present if arm_of(present) in names else plain or leaders[0]
    base = next((row for row in rows if row["role"] == "baseline"), None)
    return Answer(
        case,
        "measured",
        rows,
        use,
        [name for name in names if name != arm_of(use)],
        present,
        paired(evidence, present, use),
        paired(evidence, base, use) if base else None,
    )


def _told(line: pd.DataFrame, curves: dict[str, Curve], case: Case, now: str | None) -> Answer:
    """Times from the curves; where some cover the size, the others do not compete."""
    covering = {name: curve for name, curve in curves.items() if curve.covers(case.n)}
    chosen = covering or curves
    rows = sorted(
        (_told_row(line, name, curve, case) for name, curve in chosen.items()), key=lambda r: r["time_s"]
    )
    present, best = _now(rows, now), rows[0]
    ratios = {arm_of(row): _told_ratio(chosen, row, best) for row in rows}
    close = [row for row in rows if ratios[arm_of(row)].verdict == "tie"]
    plain = next((row for row in close if row["backend"] == best["backend"] and not row["variant"]), best)
    use = present if ratios[arm_of(present)].verdict == "tie" else plain
    base = next((row for row in rows if row["role"] == "baseline"), None)
    return Answer(
        case,
        "fitted" if covering else "extrapolated",
        rows,
        use,
        [arm_of(row) for row in close if row is not use],
        present,
        _told_ratio(chosen, present, use),
        _told_ratio(chosen, base, use) if base else None,
    )


def _told_row(line: pd.DataFrame, name: str, curve: Curve, case: Case) -> Row:
    """A row as a cell would have it, from the nearest measured size, with the time from the curve."""
    mine = line[[arm_of(row) == name for row in _rows(line)]]
    near = mine.iloc[int(np.abs(np.log(mine["n"].to_numpy() / case.n)).argmin())].to_dict()
    time_s = float(curve.at(case.n))
    unknown = dict.fromkeys(
        ("time_lo_s", "time_hi_s", "ceiling_fraction", "speedup_lo", "speedup_hi"), math.nan
    )
    told = {"n": case.n, "time_s": time_s, "gb_per_s": case.bytes_moved / time_s / 1e9, "status": "told"}
    return {**{str(key): value for key, value in near.items()}, **unknown, **told}


def _told_ratio(curves: dict[str, Curve], slow: Row, fast: Row) -> Ratio:
    """The ratio of two curves, give or take the worst miss among the sizes that were left out in turn."""
    value = slow["time_s"] / fast["time_s"]
    one, other = curves[arm_of(slow)], curves[arm_of(fast)]
    misses = ratio_misses(one, other)
    if not (one.covers(fast["n"]) and other.covers(fast["n"])):
        return Ratio(value, math.nan, math.nan, "", "from curves beyond the sizes that were measured")
    if not misses:
        return Ratio(
            value, math.nan, math.nan, "", "from two curves without a size between others to test them"
        )
    worst = math.exp(max(abs(math.log(miss)) for miss in misses))
    noise = 1 + max(0.0 if math.isnan(row["noise_floor"]) else row["noise_floor"] for row in (slow, fast))
    spread = worst * noise
    lo, hi = value / spread, value * spread
    verdict = "faster" if lo > 1 else "slower" if hi < 1 else "tie"
    return Ratio(
        value,
        lo,
        hi,
        verdict,
        f"from the fitted curves, give or take their worst miss at {len(misses)} left-out sizes",
    )


def _now(rows: Sequence[Row], now: str | None) -> Row:
    """The row of the arm that is used now."""
    if now is None:
        return next((row for row in rows if row["role"] == "baseline"), rows[-1])
    found = next((row for row in rows if arm_of(row) == now), None)
    if found is None:
        names = [arm_of(row) for row in rows]
        raise cli.UsageError(
            f"--now: no time of {now!r} in this case; there is {', '.join(names)}{did_you_mean(now, names)}"
        )
    return found


def _curves(line: pd.DataFrame, case: Case, caches: Sequence[int]) -> dict[str, Curve]:
    """A curve for each arm with at least two sizes; of a size measured twice the last counts."""
    points: dict[str, dict[int, Any]] = {}
    for row in _rows(line):
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
