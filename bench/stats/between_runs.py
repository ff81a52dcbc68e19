"""What several runs of the same code tell that one cannot: how much an arm differs from run to run.

A run's own errors are a model: they know of its rounds and of its processes.  Repeated runs are evidence.  Both are
weighed by their degrees of freedom (a moderated variance, as in Smyth, Stat. Appl. Genet. Mol. Biol. 3, 2004).  So an
arm that jumps between runs of one side is believed less, and none is believed much more because two runs agree.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy.special import gammaincinv  # type: ignore[import-untyped]  # it carries no type hints

from bench.records.columns import TIMED
from bench.records.grouping import alike
from bench.stats.frames import group_ids
from bench.stats.run_estimates import KEY
from bench.stats.significance import welch_df

__all__ = ["NAMED", "badness", "moderated", "scatter_of_runs", "side_of"]

Floats = npt.NDArray[np.float64]

_ESTIMATES = ("value", "within", "within_df", "between", "between_df", "process_variance")
NAMED = (*KEY, "role", "status", "baseline", "kind")
"""The columns of arms whose categories may differ by run."""
_SMALL = np.float16
"""Holds 0, 1 and NaN exactly."""
_LEAST = 8
"""The fewest arms that a scatter between runs is taken from."""


def side_of(runs: Sequence[pd.DataFrame]) -> pd.DataFrame:
    """One row per arm of any run of a side; `runs` are frames of `bench.stats.run_estimates.arms_of`.

    `KEY`; status, reason, role, baseline and kind of the run whose status is worst; time_s, ``value`` and
    ``process_variance``, means over the runs that know the value (geometric of the time); ``within``, ``between`` and
    their df, of that mean; ``runs``, how many; ``squares``, the sum of their squared deviations from the mean;
    ``baselines``, how many different ones; ``without_highest`` and ``without_lowest``, the mean of the other runs.
    """
    if len(runs) == 1:
        return _lone_run(runs[0].reset_index(drop=True))
    arms = _together(runs)
    arms["arm"] = group_ids(arms, KEY)
    known = arms.loc[arms["value"].notna(), ["arm", "time_s", "baseline", *_ESTIMATES]]
    known = known.assign(
        log_time=np.log(known["time_s"]),
        within=known["within"].fillna(np.inf),  # a mean is not known where one of its runs is not
        squares=np.square(known["value"] - known.groupby("arm")["value"].transform("mean")),
    )
    groups = known.groupby("arm")
    count, total = groups.size(), groups["value"].sum()
    others = (count - 1).where(count > 1)
    within = groups["within"].sum() / count**2
    figures = groups[["value", "process_variance"]].mean()
    figures = figures.assign(
        time_s=np.exp(groups["log_time"].mean()),
        runs=count,
        within=within.where(np.isfinite(within)),
        within_df=groups["within_df"].sum(),
        between=groups["between"].sum() / count**2,
        between_df=groups["between_df"].min(),
        squares=groups["squares"].sum(),
        baselines=groups["baseline"].nunique(),
        without_highest=(total - groups["value"].max()) / others,
        without_lowest=(total - groups["value"].min()) / others,
    )
    named = arms[[*KEY, "role", "status", "reason", "baseline", "kind", "arm"]].iloc[_worst(arms)]
    return named.merge(figures, on="arm", how="left").drop(columns="arm")


def _together(runs: Sequence[pd.DataFrame]) -> pd.DataFrame:
    """The rows of all runs, with categories that all of them have."""
    frames = [run.copy(deep=False) for run in runs]
    for name in NAMED:
        for frame, column in zip(frames, alike([frame[name] for frame in frames]), strict=True):
            frame[name] = column
    return pd.concat(frames, ignore_index=True)


def _lone_run(arms: pd.DataFrame) -> pd.DataFrame:
    """As `side_of` has it, of one run, each of whose arms has one row: what the sums of one are.

    What is the same in every row takes as little as it can: a run may have millions.
    """
    known = arms["value"].notna()
    arms["time_s"] = np.exp(np.log(arms["time_s"].where(known)))  # the geometric mean of one
    within = arms["within"]
    arms["within"] = within.where(np.isfinite(within) & known)
    for name in ("process_variance", "within_df", "between", "between_df"):
        if not known.all():
            arms[name] = arms[name].where(known)
    once = np.where(known, 1.0, np.nan)
    value = arms["value"].to_numpy()
    with np.errstate(invalid="ignore"):  # of an infinite value
        squares = np.square(value - value)
    unknown = np.full(len(arms), np.nan, _SMALL)
    return arms.assign(
        runs=once,
        squares=squares.astype(_SMALL),
        baselines=once.astype(_SMALL),
        without_highest=unknown,
        without_lowest=unknown,
    )


def _worst(arms: pd.DataFrame) -> npt.NDArray[np.intp]:
    """The row of each arm's worst status, of several the last, in the order of the arms."""
    order = np.lexsort((badness(arms["status"]), arms["arm"]))
    return np.asarray(order[np.diff(arms["arm"].to_numpy()[order], append=-1) != 0])


def badness(status: pd.Series) -> pd.Series:
    """How bad a status is: 0 timed, 1 skipped, 2 anything else."""
    return pd.Series(np.where(status.isin(TIMED), 0, np.where(status == "skipped", 1, 2)), status.index)


def scatter_of_runs(sides: Sequence[pd.DataFrame]) -> tuple[float, int] | None:
    """The standard deviation between runs of a side beyond their own errors, and how many arms show it.

    None without evidence.  Arms that jump are few, so they hardly move a median; `moderated` sees to them.
    """
    known = pd.concat([side[side["runs"] > 1] for side in sides])
    if len(known) < _LEAST:
        return None
    middle = 2 * gammaincinv((known["runs"] - 1) / 2, 0.5)  # the median of their sum of squares, in variances
    own = (known["within"].fillna(0.0) + known["between"]) * known["runs"]
    beyond = float((known["squares"] / middle).median() - own.median())
    return float(np.sqrt(max(0.0, beyond))), len(known)


def moderated(parts: Floats, dfs: Floats, own: Floats, own_df: Floats) -> tuple[Floats, Floats]:
    """The variance of a difference and its degrees of freedom, from the model's parts and from repeated measurements.

    `parts` and `dfs` have one row for each variance of the model; `own` is the variance that repeated measurements
    show, with `own_df` degrees of freedom (0: there are none).
    """
    model, df = parts.sum(axis=0), welch_df(parts, dfs)
    with np.errstate(invalid="ignore"):
        mixed = np.where(np.isinf(df), model, (df * model + own_df * own) / (df + own_df))
    return np.where(own_df > 0, mixed, model), df + own_df
