"""What one run knows of each of its arms: the log of its time, and the parts of that log's error.

Rounds tell how a time varies within a process.  How much processes of the same code differ is in cells.csv, since a run
learns it from all of its arms (`bench.stats.process_spread`); both parts are of the mean over the arm's processes.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from bench.records.columns import TIMED
from bench.records.grouping import alike, group_ids, last_of_each, picked
from bench.stats.arm_estimates import spread_of_rounds
from bench.stats.fastest import COMPETING
from bench.stats.process_spread import ProcessSpread
from kernels.api import AXES

__all__ = ["KEY", "MATCH", "NEEDED", "Side", "arms_of", "needed_for"]

MATCH = (*AXES, "backend", "variant")
"""What names a cell in all runs; a baseline may have become a candidate, or the other way round."""
KEY = [*MATCH, "control"]
"""What names an arm in all runs, control arms too."""
NEEDED = (
    *("run_id", "machine", "role", *MATCH, "status", "reason", "rounds", "time_s", "time_lo_s", "time_hi_s"),
    *(
        "baseline",
        "speedup",
        "speedup_lo",
        "speedup_hi",
        "processes",
        "process_sd",
        "process_df",
        "kind",
        "kind_sd",
    ),
)
"""The columns of cells.csv that a comparison is made of."""
_RATIOS = ("speedup", "speedup_lo", "speedup_hi")
"""Those of them that only a comparison of ratios is made of."""
_AT_FIRST = ProcessSpread().spread("", 0)
"""What is thought of processes where no run has measured how they differ."""
_INTERVAL_WIDTH = 2 * 1.96
"""Of a 95 % interval, in standard errors."""
_OWN = 1e-3
"""How near the value of a cell's rounds has to be to the cell's own, on the log scale."""


@dataclass(frozen=True, slots=True)
class Side:
    """The cells of one run (`NEEDED` columns), and its rounds where it has them."""

    cells: pd.DataFrame
    rounds: pd.DataFrame | None = None


def needed_for(*, relative: bool) -> tuple[str, ...]:
    """The columns of cells.csv that such a comparison is made of: of a million rows each takes 8 MB."""
    return tuple(name for name in NEEDED if relative or name not in _RATIOS)


def arms_of(run: Side, *, relative: bool, used_up: bool = False) -> pd.DataFrame:
    """One row per arm, without the floor and ablations.

    Columns: `KEY` (`control` is the role of a control, else empty), role, status, reason, time_s, baseline, kind,
    ``value`` (the log of the time, of that over the baseline's if `relative`), ``within`` with ``within_df`` and
    ``between`` with ``between_df`` (the variances that rounds and processes give the value), and ``process_variance``
    (of one process).
    `value` and `within` are NaN where they are not known.  `used_up`: take the columns out of the run's frame, which
    nobody needs any more; a run may have millions of rows.
    """
    rows = np.flatnonzero(~run.cells["role"].isin(("floor", "ablation")))
    cells = picked(run.cells if used_up else run.cells.copy(deep=False), rows)
    names = ["speedup", "speedup_lo", "speedup_hi"] if relative else ["time_s", "time_lo_s", "time_hi_s"]
    timed = cells["status"].isin(TIMED)
    with np.errstate(divide="ignore", invalid="ignore"):
        value, low, high = (np.log(cells[name].where(timed)) for name in names)
        width = high - low
    frame = cells[[*MATCH, "role", "status", "reason", "time_s", "baseline", "kind"]].assign(
        control=_control(cells["role"]),
        value=-value if relative else value,
        **_of_processes(cells, relative=relative),
    )
    # An interval is one for a new process: the processes' part is in it already, where the run knew of one.
    total = np.square(width.where(np.isfinite(width)) / _INTERVAL_WIDTH)
    known = frame["between"].where(cells["process_sd"].notna(), 0.0)
    frame["within"] = (total - known).clip(lower=0.0)
    frame["within_df"] = _worth(cells["rounds"].fillna(np.inf))
    if run.rounds is not None:
        frame = _with_rounds(frame, spread_of_rounds(run.rounds, relative=relative))
    last = last_of_each(group_ids(frame, KEY))
    return frame if last.all() else frame[last]


def _control(role: pd.Series) -> pd.Series:
    """The role of a control, else empty."""
    roles = role.astype("category")
    names = np.array(["" if name in COMPETING else str(name) for name in roles.cat.categories], object)
    found, codes = np.unique(names.astype(str), return_inverse=True)
    dtype = pd.CategoricalDtype(pd.Index(found, dtype="str"), ordered=True)
    return pd.Series(
        pd.Categorical.from_codes(codes.astype(np.int8)[roles.cat.codes], dtype=dtype), role.index
    )


def _of_processes(cells: pd.DataFrame, *, relative: bool) -> dict[str, pd.Series]:
    """`between`, `between_df` and `process_variance`; of a time over the baseline's, those of both."""
    variance = np.square(cells["process_sd"].fillna(_AT_FIRST.sd))
    shared = np.square(cells["kind_sd"].fillna(_AT_FIRST.kind_sd))  # between runs it changes, too
    df = cells["process_df"].fillna(_AT_FIRST.df).clip(lower=1.0)
    if relative:
        base = cells[list(AXES)].assign(
            variance=variance, shared=shared, df=df, kind=cells["kind"].astype(str)
        )
        base = base[cells["role"] == "baseline"].drop_duplicates(list(AXES), keep="last")
        own = cells[list(AXES)].merge(base, on=list(AXES), how="left").set_index(cells.index)
        variance = variance + own["variance"].fillna(_AT_FIRST.sd**2)
        shared = (shared + own["shared"].fillna(_AT_FIRST.kind_sd**2)).where(
            cells["kind"].astype(str) != own["kind"], 0.0
        )
        df = df.clip(upper=own["df"].fillna(_AT_FIRST.df))
    variance = variance + shared
    processes = cells["processes"].fillna(1.0).clip(lower=1.0)
    return {"between": variance / processes, "between_df": df, "process_variance": variance}


def _with_rounds(frame: pd.DataFrame, spread: pd.DataFrame) -> pd.DataFrame:
    """`frame` with the errors that the rounds give; where they do not give the cell's value they are not its own."""
    for name in (*MATCH, "role"):
        frame[name], spread[name] = alike([frame[name], spread[name]])
    frame = frame.merge(spread, on=[*MATCH, "role"], how="left")
    own = (frame["rounds_value"] - frame["value"]).abs() < _OWN
    frame["within"] = np.square(frame["rounds_se"]).where(own, frame["within"])
    frame["within_df"] = _worth(frame["rounds_count"]).where(own, frame["within_df"])
    return frame.drop(columns=["rounds_value", "rounds_se", "rounds_count"])


def _worth(rounds: pd.Series) -> pd.Series:
    """Degrees of freedom of a trimmed mean's error: of the middle half of the rounds."""
    return (rounds / 2 - 1).clip(lower=1.0)
