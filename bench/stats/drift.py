"""How much the machine itself moved between two runs: what all arms of a case share, or what its copies show.

The arms of a case are measured together, so most of what moves them moves all of them: on a virtual machine by a tenth
from one hour to the next, where each arm beside the others moves no more than its own errors say.  Few changes of code
are of more than half of the arms; where the copies, the same code in both runs, tell that one was, they count alone.

Each row of `controls` is a copy of one case: ``case`` (its number), ``d`` (log of new time over old), ``se_old`` and
``se_new`` (the errors of the two logs).  Rows of `arms` are those of `bench.stats.paired_sides.timed_in_both`.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd

__all__ = [
    "Drift",
    "beyond_shared",
    "everywhere",
    "scatter",
    "scatter_df",
    "shared",
    "shifts",
    "take_off",
    "whole_drift",
]

Floats = npt.NDArray[np.float64]

_LEAST_ALIKE = 4
"""The fewest arms of a size and kind that have a scatter of their own."""
_LEAST = 3
"""The fewest controls that have a scatter: of two, each is as far from their middle as the other."""
_MAD = 1.4826
"""Times the median absolute deviation is the standard deviation of normal samples."""
_MAD_EFFICIENCY = 0.37
"""How many degrees of freedom the median absolute deviation has for each of the standard deviation."""
_MOST_DF = 8.0
"""However many controls there are: drift comes in jumps, so it is not normal."""

_ENOUGH = 5
"""The fewest arms of a case, copies among them, whose middle is the machine's."""
_HALVES = 1.57
"""The variance of a median over that of a mean."""
_APART = 3.0
"""Standard errors by which all arms and all copies differ where the code of most arms changed."""


def shared(arms: pd.DataFrame) -> pd.DataFrame | None:
    """By ``case`` what its arms share: ``shift``, the median of the logs, and ``shift_se``, what that adds to errors.

    That is nothing: an arm is one of those that the median is of, so that what it errs by is in both, and their
    difference errs by no more than the arm.  A case of few arms has the middle of all cases, and how much these differ.
    None where no case has enough arms, or where the copies say that it was not the machine.
    """
    middles = _middles(arms)
    known = middles["count"] >= _ENOUGH
    if not known.any() or _of_the_code(arms):
        return None
    middle = float(middles.loc[known, "d"].median())
    apart = _MAD * float((middles.loc[known, "d"] - middle).abs().median())
    return pd.DataFrame(
        {
            "shift": middles["d"].where(known, middle),
            "shift_se": np.where(known, 0.0, apart),
        }
    )


def _middles(arms: pd.DataFrame) -> pd.DataFrame:
    """By case the median ``d`` of its arms, its ``variance``, and their ``count``."""
    cases = arms.groupby("case")
    middles = cases[["d"]].median().astype(float)
    count = cases.size()
    return middles.assign(variance=_HALVES * cases["variance"].mean().astype(float) / count, count=count)


def _of_the_code(arms: pd.DataFrame) -> bool:
    """Whether arms and copies moved apart."""
    others, copies = (_middles(arms[arms["copy"] == copy]) for copy in (False, True))
    apart = (others["d"] - copies["d"]).dropna()
    if apart.empty:
        return False
    variance = (others["variance"] + copies["variance"]).reindex(apart.index)
    own = float(variance.sum()) / len(apart) ** 2
    seen = float(apart.var(ddof=1)) / len(apart) if len(apart) > 1 else 0.0
    return abs(float(apart.mean())) > _APART * math.sqrt(max(own, seen))


@dataclass(frozen=True, slots=True)
class Drift:
    """What one run adds to the error of an arm, by the number of the arms that are ``alike``."""

    variance: Floats
    df: Floats


def everywhere(sd: float, df: float, classes: int) -> Drift:
    """The same for all arms."""
    return Drift(np.full(classes, sd**2), np.full(classes, df))


def beyond_shared(arms: pd.DataFrame, machine: pd.DataFrame, classes: int) -> Drift:
    """How much arms of a size and kind scatter beyond what all of their case share (see `shared`) and their own errors.

    In an hour of slow memory large serial calls move by a fifth beside the parallel ones, and small calls not at all.
    """
    beyond = (arms["d"] - machine["shift"].reindex(arms["case"]).to_numpy()).abs()
    groups = arms.assign(beyond=beyond).groupby("alike")
    count, middles = groups.size(), groups[["beyond", "variance"]].median().astype(float)
    few = count < _LEAST_ALIKE
    middles[few] = beyond.median(), arms["variance"].median()
    count[few] = len(arms)
    of_two = (np.square(_MAD * middles["beyond"]) - middles["variance"]).clip(lower=0.0)
    known = pd.DataFrame({"variance": of_two / 2, "df": count.map(scatter_df)}).reindex(range(classes))
    return Drift(known["variance"].fillna(0.0).to_numpy(), known["df"].fillna(1.0).to_numpy())


def take_off(cells: pd.DataFrame) -> None:
    """Put the new side on the level of the old one; ``shift`` becomes ``machine``, of which nothing is left."""
    shift = cells["shift"].fillna(0.0).astype(np.float32)  # as exact as it is known
    for name in ("d", "value_new", "without_highest_new", "without_lowest_new"):
        cells[name] -= shift
    cells["machine"], cells["shift"] = shift, np.zeros(len(cells), np.float16)


def whole_drift(
    repeated: tuple[float, int] | None, controls: pd.DataFrame, arms: pd.DataFrame | None
) -> tuple[float, float]:
    """What one run adds to the error of any arm, a standard deviation, and its degrees of freedom.

    It has what all arms of a case share.  `repeated`, of several runs of a side, tells it best; then all arms, then the
    copies.
    """
    if repeated is not None:
        return repeated[0], scatter_df(repeated[1])
    if arms is None:
        return scatter(controls) / math.sqrt(2), scatter_df(len(controls))  # the controls' is of two runs
    return _scatter(arms["d"], arms["variance"]) / math.sqrt(2), scatter_df(len(arms))


def scatter(controls: pd.DataFrame) -> float:
    """The scatter of the controls' changes beyond their own errors: a standard deviation, of their middle half."""
    return _scatter(controls["d"], controls["se_old"] ** 2 + controls["se_new"] ** 2)


def _scatter(d: pd.Series, variance: pd.Series) -> float:
    if len(d) < _LEAST:
        return 0.0
    scale = _MAD * float((d - d.median()).abs().median())
    return math.sqrt(max(0.0, scale**2 - float(variance.fillna(0.0).median())))


def shifts(controls: pd.DataFrame) -> pd.DataFrame:
    """By ``case`` what all of its controls, two or more, show beyond the median of all: the mean of the logs.

    0 where they do not all point in one direction.
    """
    beyond = controls[["case"]].assign(
        shift=controls["d"] - controls["d"].median(),
        variance=(controls["se_old"] ** 2 + controls["se_new"] ** 2).fillna(0.0),
    )
    cases = beyond.groupby("case")
    signs, size = cases["shift"].agg(["min", "max"]), cases.size()
    agree = (size > 1) & ((signs["min"] > 0) | (signs["max"] < 0))
    means = cases.mean().assign(shift_se=np.sqrt(cases["variance"].sum()) / size)
    return means[["shift", "shift_se"]].where(agree, 0.0)


def scatter_df(controls: int) -> float:
    """Degrees of freedom of `scatter`."""
    return min(_MOST_DF, _MAD_EFFICIENCY * max(controls - 1, 1))
