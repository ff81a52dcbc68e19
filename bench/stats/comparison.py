"""What changed between two sides, each of one run or of several, cell by cell, and how sure that is.

A cell's change is the log of new time over old, less what all arms of its case share: that is the machine's
(`bench.stats.drift`).  Its error has the parts that a run knows of (the rounds' and that of the processes,
`bench.stats.run_estimates`) and what differs from run to run beside: of several runs of a side that is seen; of one run
a side the arms of its size and kind show it.  Where the code of most arms changed, or in ratios to a baseline, the
copies of the same bytes alone tell of the machine, the same code in both runs.

A few arms in a hundred jump between runs of the same code, for no reason in the code.  One run a side cannot tell a
jump from a change.  So a p-value counts the chance of one, and a change of that size is `suspected` at most, unless
few cells are compared: repeated runs of both sides decide (`bench.stats.confirmation`).

How often unchanged cells are called changed, and how often changed ones are found, is in tests/bench/stats.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd

from bench.records.grouping import picked
from bench.records.schema import VERDICTS
from bench.stats.between_runs import badness, scatter_of_runs, side_of
from bench.stats.change_errors import errors, old_side
from bench.stats.drift import Drift, beyond_shared, everywhere, shared, shifts, take_off, whole_drift
from bench.stats.estimates import Interval
from bench.stats.implementations import implementations
from bench.stats.jumps import noise_floor, p_of, p_of_a_jump
from bench.stats.paired_sides import copies_of_both, paired, timed_in_both
from bench.stats.run_estimates import MATCH, Side, arms_of
from bench.stats.significance import benjamini_hochberg, holm, t_bound

__all__ = ["ALPHA", "CHANGES", "Comparison", "Side", "compare", "compare_arms", "words"]

CHANGES = (
    *VERDICTS,
    *("unknown", "failed", "recovered", "untimed", "other baseline", "only old", "only new"),
)
"""What a cell's `change` may be.  ``unknown``: an interval is missing.  ``failed``: its status got worse."""

Floats = npt.NDArray[np.float64]

ALPHA = 0.05
"""How often one or more of the cells of a comparison may be called changed by chance."""
_SCREEN = 0.2
"""The share of suspected cells that may be unchanged: they are measured again, so missing one costs more."""


@dataclass(frozen=True, slots=True)
class Comparison:
    """What `compare` found.

    `cells` has one row per cell of either side: `MATCH`, old_status, new_status, reason (the new status's), old_time_s,
    new_time_s, ratio (new time over old; both over the baseline's if relative) with ratio_lo and ratio_hi (95 %, not
    corrected), p_value, p_adjusted (Holm), noise_floor (the smallest change that would have been called one in 80 % of
    the cases), shift (the machine's part, a ratio: what all arms of the case share, or if copies alone tell, what these
    show beyond those of other cases; the former is taken off ratio), change (one of `CHANGES`), suspected (bool: worth
    measuring again) and regression (bool).
    `implementations` is what `bench.stats.implementations` says of those that have cells enough; without a row where
    the machine's part is not known of all arms.
    `old` has, for each suspected row, what a repeated measurement of the new code is judged against: ``value``,
    ``variance``, ``df``, ``runs``; and of one process's log time the variances ``old_process``, ``new_process`` with
    ``process_df``.
    `mean` is the geometric mean of the ratios of all judged cells, `controls_mean` the same of the copies; `drift` what
    the sides' runs add to an error, a standard deviation of log ratios.
    """

    cells: pd.DataFrame
    implementations: pd.DataFrame
    old: pd.DataFrame
    mean: Interval | None
    controls_mean: Interval | None
    drift: float
    controls: int
    shared: bool
    """Whether what all arms of a case share is taken off."""


def compare(
    old: Sequence[Side], new: Sequence[Side], *, relative: bool = False, threshold: float = 0.05
) -> Comparison:
    """Judge every cell of the runs `new` against the same cell of the runs `old`; see `Comparison`.

    relative: compare times over the baseline's of the same experiment instead of seconds.
    threshold: a smaller difference is `same`; a slowdown is a regression if it is beyond this fraction.
    """
    arms = ((arms_of(run, relative=relative) for run in runs) for runs in (old, new))
    return compare_arms(*arms, relative=relative, threshold=threshold)


def compare_arms(
    old: Iterable[pd.DataFrame],
    new: Iterable[pd.DataFrame],
    *,
    relative: bool = False,
    threshold: float = 0.05,
    tests: int | None = None,
) -> Comparison:
    """As `compare`, of frames of `bench.stats.run_estimates.arms_of`, which were made with the same `relative`.

    tests: how many tests this comparison is one of; each p-value is multiplied by it (Bonferroni).  None: the cells of
    this comparison are all there are, and Holm's correction is for their number.
    """
    sides, per_run = list[pd.DataFrame](), 0.0
    for runs in (old, new):
        arms = list(runs)
        sides.append(side_of(arms))
        per_run += 1 / len(arms)
        del arms  # they are large, and of an iterator nobody else has them
    return _compared(sides, math.sqrt(per_run), relative=relative, threshold=threshold, tests=tests)


def _compared(
    sides: list[pd.DataFrame], added: float, *, relative: bool, threshold: float, tests: int | None
) -> Comparison:
    """The comparison of both `sides`, which are used up; `added`: how often the drift of one run adds to a change."""
    repeated = scatter_of_runs(sides)
    both = paired(sides, relative=relative)
    arms, controls = timed_in_both(both), copies_of_both(both)
    classes = int(both["alike"].max() + 1) if len(both) else 0
    cells = picked(both, np.flatnonzero(both["control"] == ""))
    if relative:  # the baseline over itself says nothing
        own = (cells["role_old"] == "baseline") & (cells["role_new"] == "baseline") & cells["d"].notna()
        cells = picked(cells, np.flatnonzero(~own))
    mean = _mean(cells)
    machine = None if relative else shared(arms)
    _know_shift(cells, shifts(controls) if machine is None else machine)
    whole = whole_drift(repeated, controls, None if machine is None else arms)
    drift = everywhere(*whole, classes)
    if machine is not None:
        take_off(cells)
        drift = drift if repeated is not None else beyond_shared(arms, machine, classes)
    del arms  # a row for each cell, as those of the result will have
    judged, error = _judge(cells, drift, threshold, tests)
    told = slice(None if machine is not None else 0)
    together = implementations(judged[told], cells["d"].to_numpy()[told], error[told], threshold)
    old = old_side(cells[judged["suspected"]], whole)
    typical = math.sqrt(float(drift.variance[cells["alike"]].mean())) if len(cells) else 0.0
    return Comparison(
        judged, together, old, mean, _mean(controls), typical * added, len(controls), machine is not None
    )


def _know_shift(cells: pd.DataFrame, of_case: pd.DataFrame) -> None:
    """Give each cell its case's columns."""
    of_case = of_case.reindex(range(int(cells["case"].max() + 1) if len(cells) else 0))
    for name in of_case:
        cells[name] = of_case[name].to_numpy()[cells["case"]]


def _judge(
    cells: pd.DataFrame, drift: Drift, threshold: float, tests: int | None
) -> tuple[pd.DataFrame, Floats]:
    """The rows of a `Comparison`'s cells, and the standard error of each one's difference."""
    error, df = errors(cells, drift)
    np.sqrt(error, out=error)
    d, shift = cells["d"].to_numpy(), cells["shift"].fillna(0.0).to_numpy()
    chance, p, beyond = _chances(cells, d, shift, error, df, threshold=threshold)
    figures = cells[list(MATCH)].assign(
        old_status=cells["status_old"],
        new_status=cells["status_new"],
        reason=cells["reason_new"],
        old_time_s=cells["time_s_old"],
        new_time_s=cells["time_s_new"],
        **_ratios(d, error, df),
        p_value=p,
        p_adjusted=holm(p) if tests is None else np.minimum(p * tests, 1.0),
        noise_floor=noise_floor(cells, error, df, ALPHA / (tests or max(int((~np.isnan(p)).sum()), 1))),
        shift=np.exp(cells.get("machine", shift)),
    )
    judged = _places_of_words(d, error, df, figures["p_adjusted"].to_numpy(), threshold)
    figures["change"] = _changes(cells, judged, unknown=np.isnan(p))
    open_ones = figures["change"].isin(("slower", "faster", "unresolved"))
    figures["suspected"] = open_ones & (benjamini_hochberg(chance) <= _SCREEN)
    slow = (figures["change"] == "slower") & beyond
    figures["regression"] = slow | (figures["change"] == "failed")
    return figures, error


def _chances(
    cells: pd.DataFrame, d: Floats, shift: Floats, error: Floats, df: Floats, *, threshold: float
) -> tuple[Floats, Floats, npt.NDArray[np.bool_]]:
    """For each cell the chance of such a change without jumps, its p-value, and whether it is beyond the threshold."""
    taken_off = np.maximum(np.sign(d) * shift, 0.0)
    size = np.maximum(np.abs(d) - taken_off, 0.0)
    chance = p_of(size, error, df)
    p = np.minimum(chance + p_of_a_jump(cells, taken_off, error, df), 1.0)
    return chance, p, size > math.log1p(threshold)


def _ratios(d: Floats, error: Floats, df: Floats) -> dict[str, Floats]:
    """The ratio of each cell, with its interval."""
    reach = t_bound(df) * error
    return {"ratio": np.exp(d), "ratio_lo": np.exp(d - reach), "ratio_hi": np.exp(d + reach)}


def words(d: Floats, error: Floats, df: Floats, p_adjusted: Floats, threshold: float) -> npt.NDArray[np.str_]:
    """One of `VERDICTS` for each difference `d` of log times, whose p-value among all is `p_adjusted`."""
    return np.array(VERDICTS)[_places_of_words(d, error, df, p_adjusted, threshold)]


def _places_of_words(
    d: Floats, error: Floats, df: Floats, p_adjusted: Floats, threshold: float
) -> npt.NDArray[np.int8]:
    """The place of each one's word in `VERDICTS`, with which `CHANGES` begins."""
    inside = np.abs(d) + t_bound(df, 2 * ALPHA) * error < math.log1p(threshold)  # two one-sided tests
    real = p_adjusted <= ALPHA
    rules = {"same": inside, "slower": real & (d > 0), "faster": real & (d < 0)}
    places = [np.int8(VERDICTS.index(word)) for word in rules]
    return np.select(list(rules.values()), places, np.int8(VERDICTS.index("unresolved")))


def _changes(cells: pd.DataFrame, judged: npt.NDArray[np.int8], *, unknown: npt.ArrayLike) -> pd.Series:
    """One of `CHANGES` for each cell; `judged` is the place there of what the figures say."""
    old, new = (badness(cells[name]) for name in ("status_old", "status_new"))
    rules = {
        "only old": cells["only_old"],
        "only new": cells["only_new"],
        "failed": new > old,
        "recovered": new < old,
        "untimed": old > 0,
        "other baseline": cells["rebased"],
        "unknown": unknown,
    }
    places = [np.int8(CHANGES.index(word)) for word in rules]
    codes = np.select([np.asarray(rule, bool) for rule in rules.values()], places, judged)
    return pd.Series(np.array(CHANGES, object)[codes], cells.index, "str")  # each word is in memory once


def _mean(cells: pd.DataFrame) -> Interval | None:
    """The geometric mean of the ratios with its 95 % interval, None without any.

    The cells of a case were measured together, so the cases are what is independent (the
    cluster-robust standard error of a mean, Student's t); of a single case the interval has no bounds.
    """
    known = cells.loc[cells["d"].notna(), ["d", "case"]]
    if known.empty:
        return None
    mean = float(known["d"].mean())
    sums = np.bincount(known["case"], known["d"] - mean)[np.bincount(known["case"]) > 0]
    if len(sums) == 1:
        return Interval(math.exp(mean), 0.0, math.inf)
    error = math.sqrt(float((sums**2).sum()) * len(sums) / (len(sums) - 1)) / len(known)
    reach = error * float(t_bound(np.array([len(sums) - 1.0]))[0])
    return Interval(math.exp(mean), math.exp(mean - reach), math.exp(mean + reach))
