"""How much the machine itself moved between two runs: what the control arms, the same code in both, show.

Each row of `controls` is a control arm of one case: ``case`` (its number), ``d`` (log of new time
over old), ``se_old`` and ``se_new`` (the errors of the two logs).
"""

from __future__ import annotations

import math

import numpy as np
import pandas as pd

__all__ = ["scatter", "scatter_df", "shifts"]

_LEAST = 3
"""The fewest controls that have a scatter: of two, each is as far from their middle as the other."""
_MAD = 1.4826
"""Times the median absolute deviation is the standard deviation of normal samples."""
_MAD_EFFICIENCY = 0.37
"""How many degrees of freedom the median absolute deviation has for each of the standard deviation."""
_MOST_DF = 8.0
"""However many controls there are: drift comes in jumps, so it is not normal."""


def scatter(controls: pd.DataFrame) -> float:
    """The scatter of the controls' changes beyond their own errors: a standard deviation, of their middle half."""
    if len(controls) < _LEAST:
        return 0.0
    scale = _MAD * float((controls["d"] - controls["d"].median()).abs().median())
    own = float((controls["se_old"] ** 2 + controls["se_new"] ** 2).fillna(0.0).median())
    return math.sqrt(max(0.0, scale**2 - own))


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
