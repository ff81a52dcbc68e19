"""Runs of several machines beside each other: ratios that each machine has by itself, never times of two of them."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from bench.stats.fastest import COMPETING
from bench.stats.frames import group_ids
from scripts._shared.remarks import clean
from scripts._shared.summary import CASE, fastest

if TYPE_CHECKING:
    from scripts._shared.ratios import Row

__all__ = [
    "ONLY_RATIOS",
    "SCALING_COLUMNS",
    "TENSOR",
    "by_threads",
    "machine_lines",
    "machines_of",
    "over_serial",
    "side_by_side",
    "speedups",
]

ONLY_RATIOS = "across machines only ratios are compared, never times"
TENSOR = CASE[1:]
"""What a case is on any machine."""
SCALING_COLUMNS = ("kind", "threads_effective")
"""The columns of cells.csv that `over_serial` needs besides those of a summary."""
_ARM = ("backend", "variant")
_BUT_THREADS = (*(axis for axis in TENSOR if axis != "threads"), "machine")


def machines_of(cells: pd.DataFrame) -> list[str]:
    """The names of the machines, in the order in which tables list them."""
    return [clean(name) for name in sorted(map(str, cells["machine"].unique()))]


def machine_lines(cells: pd.DataFrame) -> Iterator[str]:
    """One line where the cells are of several machines: how they stand beside each other."""
    names = machines_of(cells)
    if len(names) > 1:
        named = ", ".join(name or "one without a name" for name in names)
        yield f"{len(names)} machines ({named}), each with tables of its own: {ONLY_RATIOS}."


def side_by_side(cells: pd.DataFrame) -> pd.DataFrame:
    """A row for each tensor that several machines have, and each of these: the fastest set there, and its speed-up.

    `cells` as `scripts._shared.summary.ranked` leaves them.  Columns: those of `scripts._shared.summary.fastest`, and
    ``most``, whether changing from the baseline to the fastest is worth more there than on any other machine.
    """
    frame, _ = fastest(cells, lambda total: total)
    frame = _on_several(frame, group_ids(frame, TENSOR))
    most = np.zeros(len(frame), bool)
    for rows in frame.groupby("tensor", sort=False).indices.values():
        best = _most(frame.iloc[rows])
        if best is not None:
            most[rows[best]] = True
    return frame.assign(most=most)


def _most(rows: pd.DataFrame) -> int | None:
    """The place of the row whose speed-up is beyond those of all others; None where none is shown to be."""
    if rows["baseline"].astype(str).nunique() > 1:  # ratios over different things
        return None
    low, high = (_bounds(rows, name) for name in ("speedup_lo", "speedup_hi"))
    best = int(np.argmax(np.nan_to_num(low, nan=-np.inf)))
    return best if bool((low[best] > np.delete(high, best)).all()) else None


def _bounds(rows: pd.DataFrame, name: str) -> npt.NDArray[np.float64]:
    """That bound; of the baseline itself 1."""
    return rows[name].fillna(rows["speedup"].where(rows["speedup"] == 1.0)).to_numpy(float)


def speedups(cells: pd.DataFrame) -> pd.DataFrame:
    """A row for each candidate of a tensor that several machines timed over one baseline, and each of these.

    Columns: those of `TENSOR`, ``machine``, ``backend``, ``variant``, ``baseline``, ``speedup``, ``speedup_lo``,
    ``speedup_hi``, and ``differs``, whether two machines were shown to differ in it (their intervals are apart).
    """
    some = cells[cells["timed"] & (cells["role"] == "candidate") & cells["speedup"].notna()]
    keys = [*TENSOR, *_ARM, "baseline"]
    some = some.drop_duplicates([*keys, "machine"], keep="last")
    frame = _on_several(some, group_ids(some, keys))
    groups = frame.groupby("tensor")
    apart_ = groups["speedup_lo"].transform("max") > groups["speedup_hi"].transform("min")
    return frame.assign(differs=apart_)[[*keys, "machine", "speedup", "speedup_lo", "speedup_hi", "differs"]]


def _on_several(frame: pd.DataFrame, tensor: npt.NDArray[np.int64]) -> pd.DataFrame:
    """The rows whose tensor, by its number, several machines have; these numbers, and the machines, are their order."""
    frame = frame.assign(tensor=tensor, machine=frame["machine"].astype(str))
    several = frame.groupby("tensor")["machine"].transform("nunique").to_numpy() > 1
    return (
        frame[several.astype(bool)].sort_values(["tensor", "machine"], kind="stable").reset_index(drop=True)
    )


def by_threads(cells: pd.DataFrame) -> pd.DataFrame:
    """A row for each arm and each of its numbers of threads beyond the fewest, on one machine.

    Columns: those of `CASE`, ``backend``, ``variant``, ``fewest`` (threads), ``fewest_s`` (its time), ``ratio`` (that
    over the time here), ``ratio_lo``, ``ratio_hi``.  The cells are of different experiments, so nothing is paired.
    """
    from scripts._shared.ratios import rows_of  # noqa: PLC0415  # it needs SciPy, and most summaries do not

    some = cells[cells["timed"] & cells["role"].isin(COMPETING) & (cells["threads"] > 0)]
    some = some.drop_duplicates([*CASE, *_ARM], keep="last").sort_values("threads", kind="stable")
    found = []
    for _, rows in some.groupby(group_ids(some, [*_BUT_THREADS, *_ARM])):
        first, *others = rows_of(rows)
        found += [_scaled(first, row) for row in others]
    return pd.DataFrame(found, columns=[*CASE, *_ARM, "fewest", "fewest_s", "ratio", "ratio_lo", "ratio_hi"])


def _scaled(first: Row, row: Row) -> dict[str, Any]:
    from scripts._shared.ratios import apart  # noqa: PLC0415  # as above

    ratio = apart(first, row)
    named = {name: row[name] for name in (*CASE, *_ARM)}
    more = {"ratio": ratio.value, "ratio_lo": ratio.lo, "ratio_hi": ratio.hi}
    return named | {"fewest": int(first["threads"]), "fewest_s": first["time_s"]} | more


def over_serial(cells: pd.DataFrame) -> pd.DataFrame:
    """A row for each tensor and machine: the fastest parallel arm over the fastest serial one of the same experiment.

    Columns: those of `CASE`, ``parallel`` and ``serial`` (backends), ``parallel_threads``, ``ratio`` (the serial time
    over the parallel one), ``ratio_lo``, ``ratio_hi``.  Tensors that one machine alone has are left out.
    """
    from scripts._shared.ratios import rows_of  # noqa: PLC0415  # as above

    some = cells[cells["timed"] & cells["role"].isin(COMPETING)].sort_values("time_s")
    found = []
    for _, rows in some.groupby(group_ids(some, CASE)):
        kinds = {kind: rows_of(rows[rows["kind"] == kind].head(1)) for kind in ("serial", "parallel")}
        if kinds["serial"] and kinds["parallel"]:
            found.append(_in_parallel(kinds["serial"][0], kinds["parallel"][0]))
    columns = [*CASE, "serial", "parallel", "parallel_threads", "ratio", "ratio_lo", "ratio_hi"]
    frame = pd.DataFrame(found, columns=columns)
    frame = _on_several(frame, group_ids(frame, TENSOR))
    return frame.sort_values(["tensor", "parallel_threads"], kind="stable")[columns]


def _in_parallel(serial: Row, parallel: Row) -> dict[str, Any]:
    from bench.stats.moderation import UNKNOWN  # noqa: PLC0415  # as above
    from bench.stats.verdicts import RESOLVE  # noqa: PLC0415  # as above
    from scripts._shared.pairs import Timed  # noqa: PLC0415  # as above
    from scripts._shared.ratios import paired  # noqa: PLC0415  # as above

    ratio = paired(serial, parallel, (Timed({}), Timed({})), RESOLVE, UNKNOWN)
    threads = float(parallel["threads_effective"])
    more = {"ratio": ratio.value, "ratio_lo": ratio.lo, "ratio_hi": ratio.hi}
    names = {"serial": str(serial["backend"]), "parallel": str(parallel["backend"])}
    count = {"parallel_threads": math.nan if math.isnan(threads) else int(threads)}
    return {name: parallel[name] for name in CASE} | names | count | more
