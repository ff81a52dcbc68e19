"""How arms scale over threads, and parallel ones over serial ones: ratios of two rows of a summary.

It needs SciPy, which most summaries do without: who makes these tables imports it where they are made.
"""

from __future__ import annotations

import math
from typing import Any

import pandas as pd

from bench.stats.fastest import COMPETING
from bench.stats.frames import group_ids
from bench.stats.moderation import UNKNOWN
from bench.stats.verdicts import RESOLVE
from scripts._shared.fleet import ARM, TENSOR, on_several
from scripts._shared.pairs import Timed
from scripts._shared.ratios import Row, apart, paired, rows_of
from scripts._shared.summary import CASE

__all__ = ["by_threads", "over_serial"]

_BUT_THREADS = (*(axis for axis in TENSOR if axis != "threads"), "machine")


def by_threads(cells: pd.DataFrame) -> pd.DataFrame:
    """A row for each arm and each of its numbers of threads beyond the fewest, on one machine.

    Columns: those of `CASE`, ``backend``, ``variant``, ``fewest`` (threads), ``fewest_s`` (its time), ``ratio`` (that
    over the time here), ``ratio_lo``, ``ratio_hi``.  The cells are of different experiments, so nothing is paired.
    """
    some = cells[cells["timed"] & cells["role"].isin(COMPETING) & (cells["threads"] > 0)]
    some = some.drop_duplicates([*CASE, *ARM], keep="last").sort_values("threads", kind="stable")
    found = []
    for _, rows in some.groupby(group_ids(some, [*_BUT_THREADS, *ARM])):
        first, *others = rows_of(rows)
        found += [_scaled(first, row) for row in others]
    return pd.DataFrame(found, columns=[*CASE, *ARM, "fewest", "fewest_s", "ratio", "ratio_lo", "ratio_hi"])


def _scaled(first: Row, row: Row) -> dict[str, Any]:
    ratio = apart(first, row)
    named = {name: row[name] for name in (*CASE, *ARM)}
    more = {"ratio": ratio.value, "ratio_lo": ratio.lo, "ratio_hi": ratio.hi}
    return named | {"fewest": int(first["threads"]), "fewest_s": first["time_s"]} | more


def over_serial(cells: pd.DataFrame) -> pd.DataFrame:
    """A row for each tensor and machine: the fastest parallel arm over the fastest serial one of the same experiment.

    Columns: those of `CASE`, ``parallel`` and ``serial`` (backends), ``parallel_threads``, ``ratio`` (the serial time
    over the parallel one), ``ratio_lo``, ``ratio_hi``.  Tensors that one machine alone has are left out.
    """
    some = cells[cells["timed"] & cells["role"].isin(COMPETING)].sort_values("time_s")
    found = []
    for _, rows in some.groupby(group_ids(some, CASE)):
        kinds = {kind: rows_of(rows[rows["kind"] == kind].head(1)) for kind in ("serial", "parallel")}
        if kinds["serial"] and kinds["parallel"]:
            found.append(_in_parallel(kinds["serial"][0], kinds["parallel"][0]))
    columns = [*CASE, "serial", "parallel", "parallel_threads", "ratio", "ratio_lo", "ratio_hi"]
    frame = pd.DataFrame(found, columns=columns)
    frame = on_several(frame, group_ids(frame, TENSOR))
    return frame.sort_values(["tensor", "parallel_threads"], kind="stable")[columns]


def _in_parallel(serial: Row, parallel: Row) -> dict[str, Any]:
    ratio = paired(serial, parallel, (Timed({}), Timed({})), RESOLVE, UNKNOWN)
    threads = float(parallel["threads_effective"])
    more = {"ratio": ratio.value, "ratio_lo": ratio.lo, "ratio_hi": ratio.hi}
    names = {"serial": str(serial["backend"]), "parallel": str(parallel["backend"])}
    count = {"parallel_threads": math.nan if math.isnan(threads) else int(threads)}
    return {name: parallel[name] for name in CASE} | names | count | more
