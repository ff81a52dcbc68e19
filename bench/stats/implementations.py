"""Whether an implementation changed as a whole: one cell's change drowns in what runs differ by, that of many does not.

Of each implementation the differences of its cells, what the machine did to all arms of a case taken off, are averaged
without the fifth that is most on either side, which may be jumps (a trimmed mean with its error: Yuen, Biometrika 61,
1974).  Cases are measured one after the other, so their errors are independent.
"""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np
import numpy.typing as npt
import pandas as pd

from bench.stats.significance import holm, t_bound, two_sided_p

__all__ = ["ARM", "implementations"]

Floats = npt.NDArray[np.float64]

ARM = ("backend", "variant")
_TRIMMED = 0.2
_FEWEST = 5
"""The fewest cells that tell of an implementation."""
_APART = 0.025
"""What an implementation differs by between two runs of the same code, beside the others: kinds of work suit an hour
better or worse.  Of 21 in three pairs of quick runs fifteen moved by less, and six by chance beyond it: by 1.3 of their
standard errors at most."""
_CHANGED = 0.05
"""How often one or more implementations may be called changed by chance."""


def implementations(cells: pd.DataFrame, d: Floats, error: Floats, threshold: float) -> pd.DataFrame:
    """One row per implementation of five or more judged cells.

    `cells` has `ARM`; `d` are logs of new time over old, the machine's part taken off, with the standard `error` of
    each; NaN where nothing is known.  Columns: `ARM`, cells, ratio (new time over old) with ratio_lo and ratio_hi
    (95 %, not corrected), p_adjusted (Holm), change (slower, faster, same, unresolved) and regression (bool: slower by
    more than `threshold`).
    """
    known = cells[list(ARM)].assign(d=d, error=error)[np.isfinite(d) & np.isfinite(error)]
    found = pd.DataFrame(list(_rows(known)), columns=[*ARM, "cells", "d", "error", "df"])
    logs, errors, df = (found[name].to_numpy(float) for name in ("d", "error", "df"))
    with np.errstate(divide="ignore", invalid="ignore"):
        beyond = np.maximum(np.abs(logs) - _APART, 0.0)
        p = holm(two_sided_p(np.where(beyond > 0, beyond / errors, 0.0), df))
    reach = t_bound(df) * errors + _APART
    real, width = p <= _CHANGED, math.log1p(threshold)
    change = np.select(
        [real & (logs > 0), real & (logs < 0), np.abs(logs) + reach < width],
        ["slower", "faster", "same"],
        "unresolved",
    )
    return found[[*ARM, "cells"]].assign(
        ratio=np.exp(logs),
        ratio_lo=np.exp(logs - reach),
        ratio_hi=np.exp(logs + reach),
        p_adjusted=p,
        change=change,
        regression=(change == "slower") & (logs > width),
    )


def _rows(known: pd.DataFrame) -> Iterator[tuple[str, str, int, float, float, float]]:
    for (backend, variant), arm in known.groupby(list(ARM), observed=True):
        if len(arm) >= _FEWEST:
            yield (
                str(backend),
                str(variant),
                len(arm),
                *_trimmed(arm["d"].to_numpy(), arm["error"].to_numpy()),
            )


def _trimmed(d: Floats, error: Floats) -> tuple[float, float, float]:
    """The mean of the middle, its standard error and degrees of freedom.

    The error is at least a third of what the cells' own errors say, which are cautious: that cells agree by so much
    more is chance, or they are of one measurement.
    """
    count = len(d)
    cut = int(_TRIMMED * count)
    ordered = np.sort(d)
    middle = ordered[cut : count - cut]
    seen = float(np.clip(ordered, middle[0], middle[-1]).std(ddof=1)) / (1 - 2 * _TRIMMED)
    own = float(np.median(error))
    return float(middle.mean()), max(seen, own / 3) / math.sqrt(count), len(middle) - 1.0
