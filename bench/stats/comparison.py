"""What changed between two runs: cells paired by case, judged together, the machine's own drift included.

The rounds of two runs are independent samples.  A cell's change is the log of new time over old.  Its standard
error comes from both runs' rounds (bootstrap) or, where there are none, from the widths of their intervals;
Student's t gives p.  The degrees of freedom were found by simulation: among many unchanged cells, after Holm's
correction, one or more is called changed in 5 % of the comparisons at most (tests/bench/stats/test_comparison.py),
with normal, skewed or heavy-tailed noise.  Noise that jumps between two levels in half of the rounds breaks that;
the noise floor has to hide it.

Rounds cannot show that the whole machine drifts between runs.  Control arms can: the copies and the baseline's
twin are the same code in both.  Their scatter beyond their own errors is added to every cell's error.  What they
all show in one experiment is taken off the change of its cells.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd

from bench.records.columns import TIMED
from bench.stats.bootstrap import spread_of_rounds
from bench.stats.drift import scatter, scatter_df, shifts
from bench.stats.estimates import Interval
from bench.stats.fastest import COMPETING
from bench.stats.significance import holm, t_bound, two_sided_p, welch_df
from kernels.api import AXES

__all__ = ["CHANGES", "MATCH", "NEEDED", "Comparison", "Side", "compare"]

MATCH = (*AXES, "backend", "variant")
"""What names a cell in both runs; a baseline may have become a candidate, or the other way round."""

NEEDED = (
    *("run_id", "machine", "role", *MATCH, "status", "reason", "rounds", "time_s", "time_lo_s", "time_hi_s"),
    *("baseline", "speedup", "speedup_lo", "speedup_hi", "noise_floor"),
)
"""The columns of cells.csv that a comparison is made of."""

CHANGES = (
    *("slower", "faster", "same", "unknown", "failed", "recovered", "untimed", "other baseline"),
    *("only old", "only new"),
)
"""What a cell's `change` may be.  ``unknown``: an interval is missing.  ``failed``: its status got worse."""

_KEY = [*MATCH, "control"]
"""What names an arm in both runs, control arms too."""
_FREE = ("device", "backend", "variant", "role", "status", "baseline")
"""Columns whose categories differ by run, and so cannot be merged."""
_ALPHA = 0.05
"""How often one or more of the cells of a comparison may be called changed by chance."""
_INTERVAL_WIDTH = 2 * 1.96
"""Of a 95 % interval, in standard errors."""
_SAME = 1e-6
"""How near the value of a cell's rounds has to be to the cell's own, on the log scale."""


@dataclass(frozen=True, slots=True)
class Side:
    """The cells of one run (`NEEDED` columns), and its rounds where it has them."""

    cells: pd.DataFrame
    rounds: pd.DataFrame | None = None


@dataclass(frozen=True, slots=True)
class Comparison:
    """What `compare` found.

    `cells` has one row per cell of either run: `MATCH`, old_status, new_status, reason (the new
    status's), old_time_s, new_time_s, ratio (new time over old; both over the baseline's if relative)
    with ratio_lo and ratio_hi (95 %, not corrected), p_value, p_adjusted (Holm), noise_floor (the
    larger), shift (what every control of its experiment shows beyond the others, a ratio), change
    (one of `CHANGES`) and regression (bool).
    `mean` is the geometric mean of the ratios of all judged cells, `controls_mean` the same of
    the control arms; `drift` the scatter that was added, a standard deviation of log ratios.
    """

    cells: pd.DataFrame
    mean: Interval | None
    controls_mean: Interval | None
    drift: float
    controls: int


def compare(old: Side, new: Side, *, relative: bool = False, threshold: float = 0.05) -> Comparison:
    """Judge every cell of `new` against the same cell of `old`; see `Comparison`.

    relative: compare times over the baseline's of the same experiment instead of seconds.
    threshold: a slowdown is a regression if it is significant and beyond this fraction.
    """
    sides = [_measured(run, relative=relative) for run in (old, new)]
    both = sides[0].merge(sides[1], on=_KEY, how="outer", suffixes=("_old", "_new"), indicator="side")
    rebased = (both["baseline_old"] != both["baseline_new"]) & relative
    both["d"] = (both["value_new"] - both["value_old"]).where(~rebased)
    both["rebased"] = rebased & both["value_old"].notna() & both["value_new"].notna()
    is_control = both["control"] != ""
    controls = both[is_control & both["d"].notna()]
    drift = scatter(controls)
    cells = both[~is_control].merge(shifts(controls), on=list(AXES), how="left")
    if relative:  # the baseline over itself says nothing
        own = (cells["role_old"] == "baseline") & (cells["role_new"] == "baseline") & cells["d"].notna()
        cells = cells[~own].reset_index(drop=True)
    judged = _judge(cells, drift, scatter_df(len(controls)), threshold)
    return Comparison(judged, _mean(cells), _mean(controls), drift, len(controls))


def _measured(run: Side, *, relative: bool) -> pd.DataFrame:
    """The arms by `_KEY`, each once, with `value` (log time, or of time over the baseline's) and its error."""
    cells = run.cells[~run.cells["role"].isin(("floor", "ablation"))]
    names = ["speedup", "speedup_lo", "speedup_hi"] if relative else ["time_s", "time_lo_s", "time_hi_s"]
    timed = cells["status"].isin(TIMED)
    with np.errstate(divide="ignore", invalid="ignore"):
        value, low, high = (np.log(cells[name].where(timed)) for name in names)
        width = high - low
    frame = cells[[*MATCH, "role", "status", "reason", "time_s", "baseline", "noise_floor"]].assign(
        control=cells["role"].astype(str).where(~cells["role"].isin(COMPETING), ""),
        value=-value if relative else value,
        se=(width / _INTERVAL_WIDTH).where(np.isfinite(width)),
        df=_worth(cells["rounds"].fillna(np.inf)),
    )
    frame = frame.astype(dict.fromkeys(_FREE, "str"))
    if run.rounds is not None:
        frame = _with_rounds(frame, spread_of_rounds(run.rounds, relative=relative))
    return frame.drop_duplicates(_KEY, keep="last")


def _with_rounds(frame: pd.DataFrame, spread: pd.DataFrame) -> pd.DataFrame:
    """`frame` with the errors that the rounds give; where they do not give the cell's value they are not its own."""
    spread = spread.astype({name: "str" for name in _FREE if name in spread})
    frame = frame.merge(spread, on=[*MATCH, "role"], how="left")
    own = (frame["rounds_value"] - frame["value"]).abs() < _SAME
    frame["se"] = frame["rounds_se"].where(own, frame["se"])
    frame["df"] = _worth(frame["rounds_count"]).where(own, frame["df"])
    return frame


def _worth(rounds: pd.Series) -> pd.Series:
    """Degrees of freedom of the bootstrap error of a median (see the top of this file)."""
    return (rounds / 4).clip(lower=6.0).clip(upper=(rounds - 1).clip(lower=0.0))


def _judge(cells: pd.DataFrame, drift: float, drift_df: float, threshold: float) -> pd.DataFrame:
    """The rows of a `Comparison`'s cells."""
    some, shift = np.zeros(len(cells)), cells["shift"].fillna(0.0).to_numpy()
    errors = np.array([cells["se_old"], cells["se_new"], some + drift, cells["shift_se"].fillna(0.0)])
    dfs = np.array([cells["df_old"], cells["df_new"], some + drift_df, some + np.inf])
    error, df = np.sqrt(np.square(errors).sum(axis=0)), welch_df(np.square(errors), dfs)
    d = cells["d"].to_numpy()
    size = np.maximum(np.abs(d) - np.maximum(np.sign(d) * shift, 0.0), 0.0)
    with np.errstate(divide="ignore", invalid="ignore"):
        p = two_sided_p(np.where(size == 0, 0 * error, size / error), df)
        reach = t_bound(df) * error
    figures = cells[list(MATCH)].assign(
        old_status=cells["status_old"],
        new_status=cells["status_new"],
        reason=cells["reason_new"],
        old_time_s=cells["time_s_old"],
        new_time_s=cells["time_s_new"],
        ratio=np.exp(d),
        ratio_lo=np.exp(d - reach),
        ratio_hi=np.exp(d + reach),
        p_value=p,
        p_adjusted=holm(p),
        noise_floor=cells[["noise_floor_old", "noise_floor_new"]].max(axis=1),
        shift=np.exp(shift),
    )
    real = (figures["p_adjusted"] <= _ALPHA) & (size > np.log1p(figures["noise_floor"].fillna(0.0)))
    figures["change"] = _changes(cells, slower=real & (d > 0), faster=real & (d < 0), unknown=np.isnan(p))
    slow = (figures["change"] == "slower") & (size > math.log1p(threshold))
    figures["regression"] = slow | (figures["change"] == "failed")
    return figures


def _changes(cells: pd.DataFrame, **judged: npt.ArrayLike) -> npt.NDArray[np.str_]:
    """One of `CHANGES` for each cell; `judged` are the ones that the figures decide."""
    old, new = (_rank(cells[name]) for name in ("status_old", "status_new"))
    rules = {
        "only old": cells["side"] == "left_only",
        "only new": cells["side"] == "right_only",
        "failed": new > old,
        "recovered": new < old,
        "untimed": old > 0,
        "other baseline": cells["rebased"],
        **judged,
    }
    return np.select([np.asarray(rule, bool) for rule in rules.values()], list(rules), default="same")


def _rank(status: pd.Series) -> pd.Series:
    """How bad a status is: 0 timed, 1 skipped, 2 anything else."""
    return pd.Series(np.where(status.isin(TIMED), 0, np.where(status == "skipped", 1, 2)), status.index)


def _mean(cells: pd.DataFrame) -> Interval | None:
    """The geometric mean of the ratios with its 95 % interval, None without any.

    The cells of a case were measured together, so the cases are what is independent (the
    cluster-robust standard error of a mean, Student's t); of a single case the interval has no bounds.
    """
    known = cells[cells["d"].notna()]
    if known.empty:
        return None
    mean = float(known["d"].mean())
    sums = (known["d"] - mean).groupby([known[axis] for axis in AXES], dropna=False).sum()
    if len(sums) == 1:
        return Interval(math.exp(mean), 0.0, math.inf)
    error = math.sqrt(float((sums**2).sum()) * len(sums) / (len(sums) - 1)) / len(known)
    reach = error * float(t_bound(np.array([len(sums) - 1.0]))[0])
    return Interval(math.exp(mean), math.exp(mean - reach), math.exp(mean + reach))
