"""The fastest set of a case: its leader, and every arm that was shown to be the same.

An arm's word beside the leader stands in its row (`leader_verdict`), where the arm that leads there leads here, too.
Otherwise (files of schema 1, several runs, a leader that was filtered out) intervals are all there is; they can tell
arms apart, but never show that two are the same.  The rule works on rows (`standings`) and on whole columns
(`mark_standings`) and gives the same answer.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Generic, NamedTuple, TypeVar

from bench.plan.experiments import arm_label
from bench.records.columns import TIMED

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt
    import pandas as pd

__all__ = [
    "COMPETING",
    "RULE",
    "STANDINGS",
    "Standings",
    "mark_standings",
    "standings",
]

COMPETING = ("baseline", "candidate")
"""The roles that are ranked; the control arms (ceiling, allocation, twin, floor) show limits and noise."""

STANDINGS = ("leader", "same", "unresolved", "slower")
"""Where a ranked arm stands in its case."""

RULE = (
    "The fastest set of a case is its leader, the arm of the smallest time, and every arm that was shown to be the same"
    " within the width asked for (--resolve). An arm is unresolved if it was neither shown to be the same nor to be"
    " slower."
)
Row = Mapping[str, Any]
RowT = TypeVar("RowT", bound=Row)
_BESIDE = {"same": "same", "slower": "slower"}
"""From a leader's verdict to a standing.  All else is unresolved, `faster` too: time and pair contradict each other."""
_NAMED = ("run_id", "backend", "variant")
_INTERVALS = (
    *("backend", "role", "baseline", "leader", "noise_floor"),
    *("time_s", "time_lo_s", "time_hi_s", "speedup_lo", "speedup_hi"),
)
"""The columns that intervals are made of."""
_NO_LIMIT = 1e9
"""A noise floor that hides everything, without the NaN of inf - inf or 0 * inf."""


@dataclass(frozen=True, slots=True)
class Standings(Generic[RowT]):
    """The ranked rows of one case, each list with the fastest first; `leader` is None where none was timed."""

    leader: RowT | None
    same: list[RowT]
    unresolved: list[RowT]
    slower: list[RowT]

    @property
    def fastest(self) -> list[RowT]:
        """The fastest set."""
        return [] if self.leader is None else [self.leader, *self.same]


def standings(rows: Iterable[RowT]) -> Standings[RowT]:
    """Where each of `rows`, all of one case, stands; those that are not ranked or not timed are left out.

    A row maps the columns of cells.csv to their values, as text or as numbers; "" and None are unknown.
    """
    timed = [row for row in rows if row["role"] in COMPETING and row["status"] in TIMED]
    timed = [row for row in timed if not math.isnan(_number(row["time_s"]))]
    timed.sort(key=lambda row: (_number(row["time_s"]), row["leader"] != _label(row)))
    found: dict[str, list[RowT]] = {word: [] for word in STANDINGS}
    for row in timed[1:]:
        found[_standing(row, timed[0])].append(row)
    return Standings(timed[0] if timed else None, found["same"], found["unresolved"], found["slower"])


def mark_standings(frame: pd.DataFrame, cases: npt.NDArray[np.int64]) -> pd.Categorical[str]:
    """For each row of `frame` (as `bench.records.reading.read_cells` returns it) one of `STANDINGS`, "" if not ranked.

    `cases` numbers the case of each row, from 0 up.
    """
    import numpy as np  # noqa: PLC0415  # the rule alone needs neither NumPy nor pandas

    marked = np.full(len(frame), len(STANDINGS), np.int8)
    competes = frame["role"].isin(COMPETING) & frame["status"].isin(TIMED) & frame["time_s"].notna()
    rows = np.flatnonzero(competes)
    if not rows.size:
        return _words(marked)
    some, case = frame[[*_NAMED, "leader", "leader_verdict", "time_s"]].iloc[rows], cases[rows]
    own, leaders = _labels(some)
    order = np.lexsort((own != leaders, some["time_s"].to_numpy(), case))
    first = order[np.r_[True, np.diff(case[order]) > 0]]
    best = np.empty(case.max() + 1, np.int64)
    best[case[first]] = first
    best = best[case]  # of each row, the place of its case's leader
    verdict, run = some["leader_verdict"], some["run_id"].cat.codes.to_numpy()
    given = (verdict != "").to_numpy() & (leaders == own[best]) & (run == run[best])
    asked = np.flatnonzero(~given)
    apart = np.zeros(len(rows), np.bool_)
    apart[asked] = _are_apart(frame, rows[asked], rows[best[asked]])
    rules = {
        "leader": np.arange(len(rows)) == best,
        "same": given & (verdict == "same").to_numpy(),
        "slower": np.where(given, verdict == "slower", apart),
    }
    words = [np.int8(STANDINGS.index(word)) for word in rules]
    marked[rows] = np.select(list(rules.values()), words, np.int8(STANDINGS.index("unresolved")))
    return _words(marked)


def _are_apart(
    frame: pd.DataFrame, rows: npt.NDArray[np.intp], bests: npt.NDArray[np.intp]
) -> npt.NDArray[np.bool_]:
    """Whether each of `rows` is slower than the one in its place in `bests`, as far as intervals tell."""
    import numpy as np  # noqa: PLC0415

    columns = frame[list(_INTERVALS)]
    arms, best = (_columns(columns.iloc[places]) for places in (rows, bests))
    apart: npt.NDArray[np.bool_] = _told_apart(arms, best, np.maximum(arms.noise, best.noise))
    return apart


def _words(codes: npt.NDArray[np.int8]) -> pd.Categorical[str]:
    import pandas as pd  # noqa: PLC0415

    return pd.Categorical.from_codes(codes, categories=pd.Index([*STANDINGS, ""]))


class _Arm(NamedTuple):
    """What intervals say: numbers (NaN where unknown), or arrays of them with one entry per arm.

    `baseline` is whatever names the arm that the speed-up is over; `noise` is what the intervals leave out.
    """

    time_lo_s: Any
    time_hi_s: Any
    speedup_lo: Any
    speedup_hi: Any
    baseline: Any
    noise: Any


def _standing(row: Row, best: Row) -> str:
    if row["leader_verdict"] and row["leader"] == _label(best) and row["run_id"] == best["run_id"]:
        return _BESIDE.get(row["leader_verdict"], "unresolved")
    arm, first = _arm(row), _arm(best)
    return "slower" if _told_apart(arm, first, max(arm.noise, first.noise)) else "unresolved"


def _told_apart(arm: _Arm, best: _Arm, noise: Any) -> Any:
    """Whether `arm` is slower than `best`, the arm of the smallest time, as far as intervals tell.

    Speed-ups decide where both have them over the same baseline: `arm` is slower if the upper end of its speed-up,
    widened by `noise`, stays below the lower end of the best one's.  Otherwise the intervals of the times
    decide in the same way.  A bool, or an array of them.
    """
    known = (arm.speedup_hi >= 0) & (best.speedup_lo >= 0)  # false for NaN
    paired = known & (arm.baseline == best.baseline)
    by_speedup = arm.speedup_hi * (1 + noise) < best.speedup_lo
    by_time = arm.time_lo_s > best.time_hi_s * (1 + noise)
    return (paired & by_speedup) | ((paired ^ True) & by_time)


def _arm(row: Row) -> _Arm:
    """One row as intervals see it; the baseline's speed-up over itself is 1.

    In rows with a leader the intervals speak for a new process; before that, the noise floor said what they left out.
    """
    time_s = _number(row["time_s"])
    own = 1.0 if row["role"] == "baseline" else math.nan
    return _Arm(
        _number(row["time_lo_s"], time_s),
        _number(row["time_hi_s"], time_s),
        _number(row["speedup_lo"], own),
        _number(row["speedup_hi"], own),
        row["baseline"] or (row["backend"] if row["role"] == "baseline" else ""),
        0.0 if row["leader"] else min(_number(row["noise_floor"], 0.0), _NO_LIMIT),
    )


def _columns(frame: pd.DataFrame) -> _Arm:
    """`_arm` of every row at once."""
    import numpy as np  # noqa: PLC0415
    import pandas as pd  # noqa: PLC0415

    is_baseline = (frame["role"] == "baseline").to_numpy()
    names = pd.Index([*frame["baseline"].cat.categories, *frame["backend"].cat.categories]).unique()
    baseline = names.get_indexer(frame["baseline"].cat.categories)[frame["baseline"].cat.codes]
    backend = names.get_indexer(frame["backend"].cat.categories)[frame["backend"].cat.codes]
    unnamed = (frame["baseline"] == "").to_numpy() & is_baseline

    def known(name: str, otherwise: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
        values = frame[name].to_numpy()
        return np.where(np.isnan(values), otherwise, values)

    times, own = frame["time_s"].to_numpy(), np.where(is_baseline, 1.0, np.nan)
    floor = np.minimum(known("noise_floor", np.zeros(len(frame))), _NO_LIMIT)
    return _Arm(
        known("time_lo_s", times),
        known("time_hi_s", times),
        known("speedup_lo", own),
        known("speedup_hi", own),
        np.where(unnamed, backend, baseline),
        np.where((frame["leader"] == "").to_numpy(), floor, 0.0),
    )


def _labels(frame: pd.DataFrame) -> tuple[npt.NDArray[np.intp], npt.NDArray[np.intp]]:
    """Numbers that name each row's arm, and its leader; -1 for a leader that no row is."""
    import numpy as np  # noqa: PLC0415
    import pandas as pd  # noqa: PLC0415

    backends, variants = frame["backend"].cat, frame["variant"].cat
    width = len(variants.categories)
    pairs, arm = np.unique(backends.codes.to_numpy(np.int64) * width + variants.codes, return_inverse=True)
    labels = [
        arm_label(backends.categories[each // width], variants.categories[each % width]) for each in pairs
    ]
    names = pd.Index(labels).unique()
    own, leaders = (names.get_indexer(pd.Index(texts)) for texts in (labels, frame["leader"].cat.categories))
    return own[arm], leaders[frame["leader"].cat.codes]


def _label(row: Row) -> str:
    return arm_label(row["backend"], row["variant"])


def _number(value: Any, otherwise: float = math.nan) -> float:
    number = math.nan if value in (None, "") else float(value)
    return otherwise if math.isnan(number) else number
