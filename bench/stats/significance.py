"""Which of many measured differences are real: Student's t, the interval of a rate, corrections for their number."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from scipy.special import stdtr, stdtrit  # type: ignore[import-untyped]  # it carries no type hints

__all__ = ["benjamini_hochberg", "holm", "rate_interval", "t_bound", "two_sided_p", "welch_df"]

Floats = npt.NDArray[np.float64]


def two_sided_p(t: Floats, df: Floats) -> Floats:
    """P(|T| >= |t|) of Student's t with `df` degrees of freedom (above 0, inf: the normal distribution); of NaN NaN."""
    return np.asarray(2 * stdtr(df, -np.abs(t)), np.float64)


def t_bound(df: Floats, p: float = 0.05) -> Floats:
    """The |t| whose `two_sided_p` with `df` degrees of freedom is `p`."""
    return np.asarray(stdtrit(df, 1 - p / 2), np.float64)


def rate_interval(hits: int, of: int) -> tuple[float, float]:
    """The 95 % interval of a rate of `hits` among `of` independent trials (Wilson, JASA 22, 1927)."""
    from scipy.stats import binomtest  # type: ignore[import-untyped]  # noqa: PLC0415  # slow to import

    found = binomtest(hits, of).proportion_ci(method="wilson")
    return float(found.low), float(found.high)


def welch_df(variances: Floats, dfs: Floats) -> Floats:
    """Degrees of freedom of a sum of independent variances, each known from its own (Welch, Biometrika 34, 1947).

    Both have one row per variance; where all are 0 the answer is inf.
    """
    total = variances.sum(axis=0)
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.where(total == 0, np.inf, np.square(total) / (np.square(variances) / dfs).sum(axis=0))


def holm(p: Floats) -> Floats:
    """`p` corrected for their number (Holm, Scandinavian Journal of Statistics 6, 1979); NaN does not count.

    Calling those at or under 0.05 real makes at most one mistake, a single one among all of them
    included, in 5 % of the comparisons, however the values depend on each other.
    """
    known = np.flatnonzero(~np.isnan(p))
    order = known[np.argsort(p[known], kind="stable")]
    steps = p[order] * np.arange(len(order), 0, -1)
    adjusted = np.full(len(p), np.nan)
    adjusted[order] = np.minimum(np.maximum.accumulate(steps), 1.0)
    return adjusted


def benjamini_hochberg(p: Floats) -> Floats:
    """`p` as the rate of false discoveries (Benjamini & Hochberg, J. R. Stat. Soc. B 57, 1995); NaN does not count.

    Of those at or under q a share of q at most is chance, on average.
    """
    known = np.flatnonzero(~np.isnan(p))
    order = known[np.argsort(p[known], kind="stable")]
    steps = p[order] * len(order) / np.arange(1, len(order) + 1)
    adjusted = np.full(len(p), np.nan)
    adjusted[order] = np.minimum.accumulate(steps[::-1])[::-1]
    return adjusted
