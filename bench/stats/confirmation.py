"""The second look at suspected cells: measured again in new processes, and judged on that alone.

Cells that were chosen because they differ, differ by chance among other reasons.  What is measured afterwards owes
nothing to that choice, so few tests are corrected for, one a suspected cell (Bonferroni), and a jump of one of the
first runs is gone.  Each value is one new process, or one new pair of them; how much processes differ is known from
the runs, and from the values themselves.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd

from bench.stats.between_runs import moderated
from bench.stats.comparison import Comparison, words
from bench.stats.jumps import JUMP
from bench.stats.significance import t_bound, two_sided_p, welch_df

__all__ = ["Repeated", "confirm"]

_FIGURES = ("again_ratio", "again_lo", "again_hi", "again_p")


@dataclass(frozen=True, slots=True)
class Repeated:
    """A suspected cell measured again: one value, with its variance from the rounds, for each process."""

    values: Sequence[float]
    """Logs of new time over old where `both`, else of what the cell's `value` is the log of; one or more."""
    variances: Sequence[float]
    both: bool
    """Whether old and new were measured, side by side."""


def confirm(found: Comparison, again: Mapping[int, Repeated], threshold: float) -> Comparison:
    """`found` with the suspected cells judged by what was measured `again` alone, by their row's label.

    New columns of `cells`: again_ratio, again_lo, again_hi (95 %), again_p (corrected).  A suspected cell that is not
    in `again` is `unresolved`.
    """
    cells, suspected = found.cells, found.cells["suspected"]
    old, tests = found.old.to_dict("index"), int(suspected.sum())
    rows = {row: _judged(repeated, old[row], tests, threshold) for row, repeated in again.items()}
    figures = pd.DataFrame.from_dict(rows, orient="index", columns=[*_FIGURES, "word", "slow"])
    figures = figures.reindex(cells.index)
    change = cells["change"].mask(suspected, "unresolved")
    change = figures["word"].where(figures["word"].notna(), change)
    cells = cells.assign(
        **{name: figures[name].astype(float) for name in _FIGURES},
        change=change,
        regression=(figures["slow"] == True) | (change == "failed"),  # noqa: E712  # NaN is no slowdown
    )
    return replace(found, cells=cells)


def _judged(
    again: Repeated, old: Mapping[Any, Any], tests: int, threshold: float
) -> tuple[float, float, float, float, str, bool]:
    """The `_FIGURES`, one of `VERDICTS`, and whether it is slower by more than `threshold`."""
    d, size, error, df = _difference(again, old)
    p = np.minimum(two_sided_p(size / error, df) * tests, 1.0)
    word = str(words(d, error, df, p, threshold)[0])
    reach = t_bound(df) * error
    ratio, low, high, p_again = (
        float(each[0]) for each in (np.exp(d), np.exp(d - reach), np.exp(d + reach), p)
    )
    return ratio, low, high, p_again, word, word == "slower" and float(size[0]) > math.log1p(threshold)


def _difference(
    again: Repeated, old: Mapping[Any, Any]
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """The difference of log times, what of it may be the code's, its error and degrees of freedom."""
    count = len(again.values)
    process = old["new_process"] + (old["old_process"] if again.both else 0.0)
    parts = np.array([[sum(again.variances) / count**2], [process / count]])
    own = np.array([np.var(again.values, ddof=1) / count if count > 1 else 0.0])
    variance, df = moderated(parts, np.array([[np.inf], [old["process_df"]]]), own, np.array([count - 1.0]))
    d = np.array([np.mean(again.values)])
    if again.both:
        return d, np.abs(d), np.sqrt(variance), df
    d = d - old["value"]
    df = welch_df(np.array([variance, [old["variance"]]]), np.array([df, [old["df"]]]))
    # A jump of a run of OLD may be why the cell was chosen.
    size = np.maximum(np.abs(d) - JUMP / old["runs"], 0.0)
    return d, size, np.sqrt(variance + old["variance"]), df
