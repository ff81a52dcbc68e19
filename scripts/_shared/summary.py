"""The figures of a summary, as DataFrames of plain numbers: arms, fastest sets, fitted lines."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from bench.plan.experiments import arm_label
from bench.records.columns import TIMED
from bench.stats.fastest import COMPETING, mark_standings
from bench.stats.frames import group_ids
from bench.stats.latency_fit import fit_lines
from kernels.api import AXES, ITEMSIZES
from kernels.networks.case import NETWORK_OPS

__all__ = [
    "ARM_COLUMNS",
    "CASE",
    "NEEDED",
    "Keep",
    "arms",
    "fastest",
    "fits",
    "needed_of",
    "prepare",
    "ranked",
]

CASE = ("machine", *(axis for axis in AXES if axis not in ("dtype", "n")), "dtype", "n")
"""What tells cases apart, in the order in which tables list them."""

NEEDED = (
    *("run_id", "machine", "backend", "variant", "role", *AXES, "status", "reason"),
    *("time_s", "time_lo_s", "time_hi_s", "bytes_moved", "gb_per_s", "ceiling_gb_per_s", "ceiling_fraction"),
    *(
        "baseline",
        "speedup",
        "speedup_lo",
        "speedup_hi",
        "noise_floor",
        "verdict",
        "first_call_s",
        "queued_s",
    ),
    *("leader", "leader_verdict", "over_leader", "over_leader_lo", "over_leader_hi", "leader_noise_floor"),
    *("python", "versions"),
)
"""The columns of cells.csv that a summary is made of."""

_OF_EVERY_ARM = ("first_call_s", "queued_s", "verdict", "over_leader", "over_leader_lo", "over_leader_hi")
"""Those of them that tables of cases do without."""
_OF_CASES = ("overview", "fastest", "headline", "fits", "machines", "speedups")
"""The tables that do without them."""

ARM_COLUMNS = (
    *("machine", "run_id", *AXES, "backend", "variant", "role", "status", "reason"),
    *("time_s", "time_lo_s", "time_hi_s", "gb_per_s", "ceiling_fraction", "queued_s"),
    *("baseline", "speedup", "speedup_lo", "speedup_hi", "noise_floor", "verdict"),
    *("leader", "over_leader", "over_leader_lo", "over_leader_hi", "leader_noise_floor", "leader_verdict"),
    *("break_even_calls", "standing", "fastest"),
)
"""The columns of `arms`: those of cells.csv under their names, and three more."""

Keep = Callable[[int], int]
"""From the rows that a table has to the rows that are shown, from the first on."""

_ONE_ARM_ONLY = (
    *("run_id", "backend", "variant", "role", "reason", "verdict", "break_even_calls", "queued_s"),
    *(
        "leader",
        "over_leader",
        "over_leader_lo",
        "over_leader_hi",
        "leader_noise_floor",
        "leader_verdict",
        "standing",
    ),
)
_FITTED_ROLES = (*COMPETING, "ceiling")
_CASE_BUT_N = CASE[:-1]
_LEAST_SIZES = 3
"""A line of two numbers fits any two sizes; the third shows whether it is one."""


def needed_of(tables: Iterable[str]) -> tuple[str, ...]:
    """The columns of cells.csv that these tables are made of: of a million rows each takes 8 MB."""
    left_out = _OF_EVERY_ARM if set(tables) <= set(_OF_CASES) else ()
    return tuple(name for name in NEEDED if name not in left_out)


def prepare(cells: pd.DataFrame) -> pd.DataFrame:
    """`cells` with what the tables need besides; rows that are not timed keep their blanks.

    Adds ``case`` (its number, in the order of `CASE`), ``timed`` and, where first calls are known, ``break_even_calls``
    (calls after which an arm's longer first call is paid back by its gain over the baseline: 0 at once, inf
    never, NaN where they were not told apart).  Where speed-up, bandwidth or the share of the
    ceiling is blank but follows from other columns, it is filled in.  What stood in for a baseline
    that could not run is the baseline.
    """
    cells["case"] = group_ids(cells, CASE)
    cells["timed"] = cells["status"].isin(TIMED) & (cells["time_s"] > 0)
    cells.loc[_stood_in(cells), "role"] = "baseline"
    cells["bytes_moved"] = cells["bytes_moved"].fillna(_bytes_moved(cells))
    cells["gb_per_s"] = cells["gb_per_s"].fillna(cells["bytes_moved"] / cells["time_s"] / 1e9)
    share = cells["gb_per_s"] / cells["ceiling_gb_per_s"]
    cells["ceiling_fraction"] = cells["ceiling_fraction"].fillna(share)
    experiment = group_ids(cells, ("run_id", *CASE))
    base_time = _of_baseline(cells, experiment, "time_s")
    compared = cells["timed"] & (cells["role"] != "floor")
    cells["speedup"] = cells["speedup"].fillna(base_time / cells["time_s"]).where(compared)
    if "first_call_s" in cells:
        cells["break_even_calls"] = _break_even(
            cells, base_time, _of_baseline(cells, experiment, "first_call_s")
        )
    return cells


def ranked(cells: pd.DataFrame) -> pd.DataFrame:
    """`cells`, as `prepare` leaves them or some of these, with what depends on which arms are there.

    Adds ``standing`` (see `bench.stats.fastest.mark_standings`) and ``fastest`` (whether it is in the fastest set).
    Where a row's own leader does not lead here, ``over_leader``, if it is there, is the plain ratio of the times,
    without an interval.
    """
    standing = mark_standings(cells, cells["case"].to_numpy())
    leads = np.flatnonzero(standing == "leader")
    case, leader, run = cells["case"].to_numpy(), cells["leader"].cat, cells["run_id"].cat.codes.to_numpy()
    names = leader.categories.get_indexer(
        pd.Index(_arm_names(cells[["backend", "variant"]].iloc[leads]), dtype=str)
    )
    own = (leader.codes.to_numpy() == _by_case(case, leads, names, -2)) & (
        run == _by_case(case, leads, run[leads], -2)
    )
    time_s = cells["time_s"].to_numpy()
    bounds = ("over_leader_lo", "over_leader_hi", "leader_noise_floor")
    added = {name: cells[name].where(own) for name in bounds if name in cells}
    if "over_leader" in cells:
        plain = (cells["time_s"] / _by_case(case, leads, time_s[leads], np.nan)).where(standing != "")
        added["over_leader"] = cells["over_leader"].where(own).fillna(plain)
    return cells.assign(standing=standing, fastest=standing.isin(("leader", "same")), **added)


def _by_case(
    case: npt.NDArray[np.int64], rows: npt.NDArray[np.intp], values: npt.NDArray[Any], otherwise: float
) -> npt.NDArray[Any]:
    """For each row the value of that one of `rows` which is of its case."""
    found = np.full(int(case.max(initial=-1)) + 1, otherwise, values.dtype)
    found[case[rows]] = values
    return found[case]


def arms(cells: pd.DataFrame, keep: Keep, *, timed_only: bool) -> tuple[pd.DataFrame, int]:
    """(the first rows of `ARM_COLUMNS`, how many there are): by case, controls last, then by time."""
    rows = np.flatnonzero(cells["timed"]) if timed_only else np.arange(len(cells))
    some = cells[["time_s", "case"]].iloc[rows]
    control = ~cells["role"].isin(COMPETING).to_numpy()[rows]
    order = np.lexsort((some["time_s"], control, some["case"]))
    picked = cells.iloc[rows[order[: keep(len(rows))]]]
    return picked[list(ARM_COLUMNS)], len(rows)


def fastest(cells: pd.DataFrame, keep: Keep) -> tuple[pd.DataFrame, int]:
    """(the first cases with their fastest sets, how many there are).

    One row per case: the case's columns, the figures of the leader, ``fastest`` (the names of the set, the leader
    first, joined by "; "), ``unresolved`` (names of which it is not known whether they belong to it, likewise) and
    ``unresolved_noise_floor`` (for each of these the smallest difference that would have been seen, "nan" if unknown).
    """
    standing = cells["standing"].array
    rows = np.flatnonzero(standing.isin(("leader", "same", "unresolved")))
    case = cells["case"].to_numpy()[rows]
    every = np.flatnonzero(np.bincount(case))
    numbers = every[: keep(len(every))]
    rows = rows[case <= numbers.max(initial=-1)]  # the others need not be sorted
    case = cells["case"].to_numpy()[rows]
    order = np.lexsort((cells["time_s"].to_numpy()[rows], standing[rows] != "leader", case))
    rows, case = rows[order], case[order]
    sets: dict[int, _Set] = {number: _Set() for number in numbers.tolist()}
    some = cells.iloc[rows]
    parts = (case.tolist(), some["standing"], _arm_names(some), some["leader_noise_floor"])
    for number, word, name, floor in zip(*parts, strict=True):
        sets[number].add(name, None if word != "unresolved" else floor)
    first = cells.iloc[rows[np.flatnonzero(np.diff(case, prepend=-1))]]
    table = first[[name for name in ARM_COLUMNS if name not in _ONE_ARM_ONLY]]
    return table.assign(
        fastest=["; ".join(each.fastest) for each in sets.values()],
        unresolved=["; ".join(each.unresolved) for each in sets.values()],
        unresolved_noise_floor=["; ".join(map(str, each.unresolved.values())) for each in sets.values()],
    ), len(every)


class _Set:
    """The names of a case; two runs of one arm are one name."""

    def __init__(self) -> None:
        self.fastest: dict[str, None] = {}
        self.unresolved: dict[str, float] = {}

    def add(self, name: str, floor: float | None) -> None:
        """`floor`: the smallest difference that would have been seen, None for those in the set."""
        if floor is None:
            self.fastest[name] = None
        elif name not in self.fastest:
            self.unresolved.setdefault(name, floor)


def fits(cells: pd.DataFrame, keep: Keep) -> tuple[pd.DataFrame, int]:
    """(the first fitted lines, how many there are): of the activations' arms with at least three sizes.

    Columns: the case's but n, backend, variant, role, ``sizes``, ``latency_s``, ``bandwidth_gb_per_s``
    (NaN where larger tensors take no longer) and ``worst_miss`` (a fraction of the measured time).
    """
    rows = np.flatnonzero(cells["timed"] & cells["role"].isin(_FITTED_ROLES) & ~cells["op"].isin(NETWORK_OPS))
    keys = [*_CASE_BUT_N, "backend", "variant", "role"]
    some = cells[[*keys, "n", "bytes_moved", "time_s"]].iloc[rows]
    line = group_ids(some, keys)
    points = pd.DataFrame({"line": line, "n": some["n"].to_numpy()}).drop_duplicates()
    sizes = np.bincount(points["line"])
    enough = sizes[line] >= _LEAST_SIZES
    some, line = some[enough], pd.factorize(line[enough], sort=True)[0]
    fitted = fit_lines(line, some["bytes_moved"].to_numpy(float), some["time_s"].to_numpy())
    first = np.unique(line, return_index=True)[1]
    kept = keep(len(first))
    table = some.iloc[first[:kept]][keys].assign(
        sizes=sizes[sizes >= _LEAST_SIZES][:kept],
        latency_s=fitted.latency_s[:kept],
        bandwidth_gb_per_s=fitted.bytes_per_s[:kept] / 1e9,
        worst_miss=fitted.worst_miss[:kept],
    )
    return table, len(first)


def _bytes_moved(cells: pd.DataFrame) -> pd.Series:
    streams = np.where(cells["direction"] == "forward", 2, 3)
    itemsize = np.array([ITEMSIZES[name] for name in cells["dtype"].cat.categories])
    moved = streams * cells["n"].to_numpy() * itemsize[cells["dtype"].cat.codes]
    return pd.Series(moved, cells.index).where(cells["role"] != "floor")


def _stood_in(cells: pd.DataFrame) -> npt.NDArray[np.bool_]:
    """The candidates that speed-ups are over."""
    place = cells["baseline"].cat.categories.get_indexer(cells["backend"].cat.categories)
    named: npt.NDArray[np.bool_] = place[cells["backend"].cat.codes] == cells["baseline"].cat.codes.to_numpy()
    return named & ((cells["role"] == "candidate") & (cells["variant"] == "")).to_numpy()


def _of_baseline(
    cells: pd.DataFrame, experiment: npt.NDArray[np.int64], name: str
) -> npt.NDArray[np.float64]:
    """For each row what its experiment's baseline has in a column."""
    is_base = (cells["timed"] & (cells["role"] == "baseline")).to_numpy()
    values = np.full(int(experiment.max(initial=-1)) + 1, np.nan)
    values[experiment[is_base]] = cells[name].to_numpy()[is_base]
    return values[experiment]


def _break_even(
    cells: pd.DataFrame, base_time: npt.NDArray[np.float64], base_first: npt.NDArray[np.float64]
) -> npt.NDArray[np.float64]:
    extra = cells["first_call_s"].to_numpy() - base_first
    gain = base_time - cells["time_s"].to_numpy()
    with np.errstate(divide="ignore", invalid="ignore"):
        calls = np.where(gain > 0, np.ceil(np.maximum(extra, 0) / gain), np.inf)
    apart = ~cells["verdict"].isin(("same", "unresolved"))
    ranked = (cells["timed"] & (cells["role"] == "candidate") & apart).to_numpy()
    return np.where(ranked & ~np.isnan(extra) & ~np.isnan(gain), calls, np.nan)


def _arm_names(cells: pd.DataFrame) -> Sequence[str]:
    return list(map(arm_label, cells["backend"], cells["variant"]))
