"""The arms of both sides of a comparison, beside each other: each arm's row of one side with that of the other.

A side may have millions of rows, so its columns go as those of both come.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pandas as pd

from bench.records.grouping import alike, group_ids, numbered, picked
from bench.stats.between_runs import NAMED
from bench.stats.run_estimates import KEY
from kernels.api import AXES

__all__ = ["copies_of_both", "paired", "timed_in_both"]


def copies_of_both(both: pd.DataFrame) -> pd.DataFrame:
    """The copies that both sides timed: ``case``, ``d`` and each side's error."""
    rows = both[(both["control"] == "ceiling") & both["d"].notna()]
    errors = {name: np.sqrt(rows[f"within_{name}"] + rows[f"between_{name}"]) for name in ("old", "new")}
    return rows[["case", "d"]].assign(se_old=errors["old"], se_new=errors["new"])


def timed_in_both(both: pd.DataFrame) -> pd.DataFrame:
    """All arms that both sides timed, copies too: ``case``, ``alike``, ``d``, its ``variance``, and whether a ``copy``.

    Half as exact as the rest, since a side may have millions of rows.
    """
    rows = np.flatnonzero(both["d"].notna() & both["control"].isin(("", "ceiling")))
    variance = np.zeros(len(rows), np.float32)
    for part in ("within_old", "within_new", "between_old", "between_new"):
        variance += both[part].to_numpy(np.float32)[rows]
    return pd.DataFrame(
        {
            "case": both["case"].to_numpy(np.int32)[rows],
            "alike": both["alike"].to_numpy(np.int32)[rows],
            "d": both["d"].to_numpy(np.float32)[rows],
            "variance": variance,
            "copy": (both["control"] == "ceiling").to_numpy()[rows],
        },
        copy=False,
    )


def paired(sides: list[pd.DataFrame], *, relative: bool) -> pd.DataFrame:
    """The arms of both sides (see `side_of`), which lose their columns as those of both come.

    Besides the numbers of its ``case`` and of the arms ``alike``, of its size and kind, the difference ``d`` of the
    logs, and ``only_old`` and ``only_new``.
    """
    old, new = sides
    for name in NAMED:
        old[name], new[name] = alike([old[name], new[name]])
    named = (pd.concat([old[name], new[name]], ignore_index=True) for name in KEY)
    at_old, at_new = _places(numbered(named, len(old) + len(new)), len(old))
    del old["reason"]  # that of the new side is told
    first = np.where(at_old < 0, at_new + len(old), at_old)
    columns = {
        name: pd.concat([old.pop(name), new.pop(name)], ignore_index=True).take(first).array for name in KEY
    }
    both = pd.DataFrame(columns, pd.RangeIndex(len(first)), copy=False)
    for name, side, rows in (("old", old, at_old), ("new", new, at_new)):
        for column, values in picked(side, rows).items():
            both[f"{column}_{name}"] = values
    both["only_old"], both["only_new"] = at_new < 0, at_old < 0
    both["case"] = group_ids(both, AXES)
    both["alike"] = group_ids(both, ("n", "kind_new"))
    both["d"] = both["value_new"] - both["value_old"]
    both["rebased"] = False
    if relative:
        several = both[["baselines_old", "baselines_new"]].max(axis=1) > 1
        rebased = several | (both["baseline_old"] != both["baseline_new"])
        both["rebased"] = rebased & both["value_old"].notna() & both["value_new"].notna()
        both["d"] = both["d"].where(~rebased)
    return both


def _places(ids: npt.NDArray[np.int64], of_old: int) -> tuple[npt.NDArray[np.intp], npt.NDArray[np.intp]]:
    """By the number of an arm its row on each side, -1 where it has none; the first so many `ids` are of the old."""
    found = []
    for own in (ids[:of_old], ids[of_old:]):
        rows = np.full(int(ids.max(initial=-1)) + 1, -1, np.intp)
        rows[own] = np.arange(len(own))
        found.append(rows)
    return found[0], found[1]
