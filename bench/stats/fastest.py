"""The fastest set of a case: the fastest arm and every arm that cannot be told apart from it.

The rule stands once, in `told_apart`, and works on numbers and on whole columns of them alike.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar

from bench.records.columns import TIMED

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt
    import pandas as pd

__all__ = ["COMPETING", "RULE", "Contender", "contender", "fastest_set", "mark_fastest", "told_apart"]

COMPETING = ("baseline", "candidate")
"""The roles that are ranked; the control arms (ceiling, twin, floor) show limits and noise."""

RULE = (
    "The fastest set of a case is its fastest arm and every arm that cannot be told apart from it: their"
    " intervals (of the speed-up over the same baseline; of the time where there is none) overlap once"
    " widened by the noise floor."
)
Row = Mapping[str, Any]
RowT = TypeVar("RowT", bound=Row)
_NO_LIMIT = 1e9
"""A noise floor that hides everything, without the NaN of inf - inf or 0 * inf."""


class Contender(NamedTuple):
    """What the rule looks at: numbers (NaN where unknown), or arrays of them with one entry per arm.

    Times are seconds per call; `baseline` is whatever names the arm that the speed-up is over.
    """

    time_lo_s: Any
    time_hi_s: Any
    speedup_lo: Any
    speedup_hi: Any
    baseline: Any


def told_apart(arm: Contender, best: Contender, noise: Any) -> Any:
    """Whether `arm` is slower than `best`, the arm of the smallest time, beyond intervals and noise.

    Speed-ups decide where both have them over the same baseline: `arm` is slower if the upper end of
    its speed-up, widened by `noise` (the noise floor, a fraction), stays below the lower end of the
    best one's.  Otherwise the intervals of the times decide in the same way.  A bool, or an array of them.
    """
    known = (arm.speedup_hi >= 0) & (best.speedup_lo >= 0)  # false for NaN
    paired = known & (arm.baseline == best.baseline)
    by_speedup = arm.speedup_hi * (1 + noise) < best.speedup_lo
    by_time = arm.time_lo_s > best.time_hi_s * (1 + noise)
    return (paired & by_speedup) | ((paired ^ True) & by_time)


def contender(row: Row) -> Contender:
    """One row as the rule sees it; the baseline's speed-up over itself is 1."""
    time_s = _number(row["time_s"])
    own = 1.0 if row["role"] == "baseline" else math.nan
    return Contender(
        _number(row["time_lo_s"], time_s),
        _number(row["time_hi_s"], time_s),
        _number(row["speedup_lo"], own),
        _number(row["speedup_hi"], own),
        row["baseline"] or (row["backend"] if row["role"] == "baseline" else ""),
    )


def fastest_set(rows: Iterable[RowT]) -> list[RowT]:
    """Those of `rows`, all of one case, that are in its fastest set, the fastest first.

    A row maps the columns of cells.csv to their values, as text or as numbers; "" and None are unknown.
    """
    timed = [row for row in rows if row["role"] in COMPETING and row["status"] in TIMED]
    timed = [row for row in timed if not math.isnan(_number(row["time_s"]))]
    timed.sort(key=lambda row: _number(row["time_s"]))
    if not timed:
        return []
    best, floor = contender(timed[0]), _noise(timed[0])
    return [row for row in timed if not told_apart(contender(row), best, max(floor, _noise(row)))]


def mark_fastest(frame: pd.DataFrame, cases: npt.NDArray[np.int64]) -> npt.NDArray[np.bool_]:
    """For each row of `frame` (as `bench.records.reading.read_cells` returns it) whether it is in a fastest set.

    `cases` numbers the case of each row, from 0 up.
    """
    import numpy as np  # noqa: PLC0415  # the rule alone needs neither NumPy nor pandas

    marked = np.zeros(len(frame), bool)
    competes = frame["role"].isin(COMPETING) & frame["status"].isin(TIMED) & frame["time_s"].notna()
    rows = np.flatnonzero(competes)
    if not rows.size:
        return marked
    some, case = frame.iloc[rows], cases[rows]
    times = some["time_s"].to_numpy()
    order = np.lexsort((times, case))
    first = order[np.r_[True, np.diff(case[order]) > 0]]
    best = np.empty(case.max() + 1, np.int64)
    best[case[first]] = first
    arms = _columns(some)
    bests = Contender(*(values[best[case]] for values in arms))
    floor = np.minimum(some["noise_floor"].fillna(0.0).to_numpy(), _NO_LIMIT)
    marked[rows] = ~told_apart(arms, bests, np.maximum(floor, floor[best[case]]))
    return marked


def _columns(frame: pd.DataFrame) -> Contender:
    """`contender` of every row at once."""
    import numpy as np  # noqa: PLC0415
    import pandas as pd  # noqa: PLC0415

    is_baseline = (frame["role"] == "baseline").to_numpy()
    own = np.where(is_baseline, 1.0, np.nan)
    names = pd.Index([*frame["baseline"].cat.categories, *frame["backend"].cat.categories]).unique()
    baseline = names.get_indexer(frame["baseline"].cat.categories)[frame["baseline"].cat.codes]
    backend = names.get_indexer(frame["backend"].cat.categories)[frame["backend"].cat.codes]
    unnamed = (frame["baseline"] == "").to_numpy() & is_baseline

    def known(name: str, otherwise: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
        values = frame[name].to_numpy()
        return np.where(np.isnan(values), otherwise, values)

    times = frame["time_s"].to_numpy()
    return Contender(
        known("time_lo_s", times),
        known("time_hi_s", times),
        known("speedup_lo", own),
        known("speedup_hi", own),
        np.where(unnamed, backend, baseline),
    )


def _number(value: Any, otherwise: float = math.nan) -> float:
    number = math.nan if value in (None, "") else float(value)
    return otherwise if math.isnan(number) else number


def _noise(row: Row) -> float:
    return min(_number(row["noise_floor"], 0.0), _NO_LIMIT)
